"""Telegram: one call of the Bot API for a message, and what its answers mean. The token is in the URL, and leaves by no other way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, MessageGone, Sent
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.error_text import safe_text
from telemetry.instrumentation.external_services import ExternalService
from telemetry.tls import ssl_context

NAME: Final = "telegram"
ENDPOINTS: Final = (
    "/bot{token}/getMe",
    "/bot{token}/getChat",
    "/bot{token}/sendMessage",
    "/bot{token}/editMessageText",
    "/bot{token}/sendDocument",
)
GROUPS: Final = ChannelRateLimit(1.0, 18)
"""Its limits are a message a second in a chat, and twenty a minute in a group; two are left for clocks that differ."""
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_SURELY_NOT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
_FINAL: Final = frozenset({401, 403, 404})
_ADAPTED: Final = 5
"""Calls for one message: with another chat, without the topic, as plain text, and with a stand-in."""
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_STAND_IN: Final = "🚨 An alert that Telegram does not take in any form: GET /alerts shows it."
_CAPTION: Final = "The rest of the message before."
_UNCHANGED: Final = "message is not modified"
_GONE: Final = ("message to edit not found", "can't be edited", "no text in the message")
_ABOUT_EDITS: Final = (_UNCHANGED, *_GONE)
_CONFIGURATION: Final = ("chat not found", "chat_id is empty", "unsupported parse_mode", "not enough rights")


@dataclass(frozen=True, slots=True)
class Bot:
    """Whose token it is that messages are sent with, and where to."""

    token: SecretStr
    chat_id: str
    thread_id: int | None = None
    api_url: str = "https://api.telegram.org"

    @property
    def service(self) -> ExternalService:
        return service(self.api_url)


def service(api_url: str) -> ExternalService:
    return ExternalService(NAME, api_url, ENDPOINTS)


class Telegram:
    """A chat. Its new number, when the group has become a supergroup, is part of what is sent back."""

    name: Final = NAME
    pace: Final = GROUPS

    def __init__(self, bot: Bot, client: httpx.Client | None = None) -> None:
        self._bot = bot
        self._client = client or httpx.Client(timeout=_TIMEOUT, verify=ssl_context())

    def close(self) -> None:
        self._client.close()

    def send(self, post: Notification, message: Message, state: ChannelState) -> Sent:
        if post.kind == "file":
            files = {
                "document": (
                    f"alert-{post.incidents[0].id}.txt",
                    (message.rest or message.plain).encode(),
                    "text/plain",
                )
            }
            answer, state = self._adapted("sendDocument", {"caption": _CAPTION}, state, files=files)
        else:
            answer, state = self._adapted("sendMessage", _text(message), state, plain=message.plain)
        number = answer.get("message_id")
        return Sent(number if isinstance(number, int) else None, state)

    def edit(self, post: Notification, message: Message, state: ChannelState) -> ChannelState:
        about = {"message_id": post.message_id}
        try:
            _answer, state = self._adapted("editMessageText", _text(message) | about, state, plain=message.plain)
        except ChannelError as error:
            if _UNCHANGED in str(error):
                return state
            if any(each in str(error) for each in _GONE):
                raise MessageGone from None
            raise
        return state

    def _adapted(
        self,
        method: str,
        values: Mapping[str, Any],
        state: ChannelState,
        *,
        plain: str | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> tuple[Mapping[str, Any], ChannelState]:
        """What it refuses for a reason that can be put right is sent once more, put right. A refusal is no message."""
        for _ in range(_ADAPTED):
            try:
                return self._call(method, {**values, **self._place(method, state)}, files), state
            except _Adaptable as error:
                state, values = _adapt(error, state, values, plain)
        raise ChannelError("telegram refuses a message again and again", is_final=True)

    def _place(self, method: str, state: ChannelState) -> dict[str, Any]:
        place: dict[str, Any] = {"chat_id": state.chat_id or self._bot.chat_id}
        if self._bot.thread_id is not None and not state.without_thread and method != "editMessageText":
            place["message_thread_id"] = self._bot.thread_id
        return place

    def _call(self, method: str, values: Mapping[str, Any], files: Mapping[str, Any] | None) -> Mapping[str, Any]:
        url = f"{self._bot.api_url.rstrip('/')}/bot{self._bot.token.get_secret_value()}/{method}"
        try:
            if files is None:
                response = self._client.post(url, json=dict(values))
            else:
                response = self._client.post(
                    url, data={name: str(value) for name, value in values.items()}, files=files
                )
        except _SURELY_NOT as error:
            raise ChannelError(f"telegram cannot be reached: {_reason(error)}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ChannelError(f"telegram did not answer: {_reason(error)}", is_doubtful=True) from None
        return _result(response)


def _text(message: Message) -> dict[str, Any]:
    return {"text": message.html, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def _reason(error: Exception) -> str:
    """Never the error's own text, which may have the URL in it."""
    said = safe_text(error)
    return said if said != type(error).__name__ else type(error).__name__


class _Adaptable(Exception):  # it is no failure yet
    def __init__(self, description: str, chat_id: str | None = None) -> None:
        super().__init__(description)
        self.chat_id = chat_id


def _adapt(
    error: _Adaptable, state: ChannelState, values: Mapping[str, Any], plain: str | None
) -> tuple[ChannelState, Mapping[str, Any]]:
    """Raises:
    ChannelError: there is nothing more that could be put right.
    """
    if error.chat_id is not None and error.chat_id != state.chat_id:
        return replace(state, chat_id=error.chat_id), values
    if "thread not found" in str(error) and not state.without_thread:
        return replace(state, without_thread=True), values
    if plain is not None and "parse_mode" in values and not any(each in str(error) for each in _ABOUT_EDITS):
        bare = {name: value for name, value in values.items() if name != "parse_mode"} | {"text": plain}
        return replace(state, plain_texts=state.plain_texts + 1), bare
    if plain is not None and values.get("text") == plain != _STAND_IN:
        return state, {**values, "text": _STAND_IN}
    raise ChannelError(f"telegram refuses a message: {str(error)[:200]}", is_about_message=True)


def _result(response: httpx.Response) -> Mapping[str, Any]:
    """Raises:
    ChannelError: it was refused, or what answers is not Telegram. _Adaptable: it could be put right.
    """
    said = _json(response)
    if response.status_code < 300 and said.get("ok") is True:  # noqa: PLR2004  # 2xx
        result = said.get("result")
        return result if isinstance(result, Mapping) else {}
    description = str(said.get("description") or "")[:300]
    given = said.get("parameters")
    parameters: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    if response.status_code == _TOO_MANY:
        seconds = _retry_after(response, parameters)
        raise ChannelError(f"telegram asks to wait {seconds:.0f} s", retry_after=seconds)
    if response.status_code in _FINAL or any(each in description for each in _CONFIGURATION):
        raise ChannelError(f"telegram refuses ({response.status_code}: {description or 'no reason'})", is_final=True)
    if 400 <= response.status_code < _SERVER_ERROR:  # noqa: PLR2004  # the client's fault
        moved = parameters.get("migrate_to_chat_id")
        raise _Adaptable(description, None if moved is None else str(moved))
    raise ChannelError(f"telegram failed ({response.status_code})", is_doubtful=True)


def _retry_after(response: httpx.Response, parameters: Mapping[str, Any]) -> float:
    for given in (parameters.get("retry_after"), response.headers.get("retry-after")):
        try:
            if given is not None and float(given) >= 0:
                return float(given)
        except (TypeError, ValueError):
            continue
    return 5.0


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        said = response.json()
    except ValueError:
        return {}
    return said if isinstance(said, Mapping) else {}
