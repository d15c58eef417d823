"""The Telegram channel: one call of the Bot API for each message. The token is in the URL and appears nowhere else."""

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
GROUP_RATE_LIMIT: Final = ChannelRateLimit(1.0, 18)
"""Telegram allows a message a second in a chat and twenty a minute in a group; two are left for clocks that differ."""
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
_PERMANENT_STATUSES: Final = frozenset({401, 403, 404})
_MAX_CALLS: Final = 5
"""Calls for one message: as it is, to another chat, without the topic, as plain text, and as a placeholder."""
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_PLACEHOLDER: Final = "🚨 An alert that Telegram does not take in any form: GET /alerts shows it."
_CAPTION: Final = "The rest of the message before."
_UNCHANGED: Final = "message is not modified"
_GONE_ERRORS: Final = ("message to edit not found", "can't be edited", "no text in the message")
_EDIT_ERRORS: Final = (_UNCHANGED, *_GONE_ERRORS)
_CONFIGURATION_ERRORS: Final = ("chat not found", "chat_id is empty", "unsupported parse_mode", "not enough rights")


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot that sends, and the chat and topic that it sends to."""

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
    """Sends to one chat. When the group became a supergroup, the state that is returned has its new id."""

    name: Final = NAME
    rate_limit: Final = GROUP_RATE_LIMIT

    def __init__(self, bot: Bot, client: httpx.Client | None = None) -> None:
        self._bot = bot
        self._client = client or httpx.Client(timeout=_TIMEOUT, verify=ssl_context())

    def close(self) -> None:
        self._client.close()

    def send(self, notification: Notification, message: Message, state: ChannelState) -> Sent:
        if notification.kind == "file":
            files = {
                "document": (
                    f"alert-{notification.incidents[0].id}.txt",
                    (message.rest or message.plain).encode(),
                    "text/plain",
                )
            }
            result, state = self._call_with_fixes("sendDocument", {"caption": _CAPTION}, state, files=files)
        else:
            result, state = self._call_with_fixes("sendMessage", _text(message), state, plain=message.plain)
        message_id = result.get("message_id")
        return Sent(message_id if isinstance(message_id, int) else None, state)

    def edit(self, notification: Notification, message: Message, state: ChannelState) -> ChannelState:
        target = {"message_id": notification.message_id}
        try:
            _response, state = self._call_with_fixes(
                "editMessageText", _text(message) | target, state, plain=message.plain
            )
        except ChannelError as error:
            if _UNCHANGED in str(error):
                return state
            if any(each in str(error) for each in _GONE_ERRORS):
                raise MessageGone from None
            raise
        return state

    def _call_with_fixes(
        self,
        method: str,
        values: Mapping[str, Any],
        state: ChannelState,
        *,
        plain: str | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> tuple[Mapping[str, Any], ChannelState]:
        """Call, and call again with each fixable error fixed. A refused call has sent nothing."""
        for _ in range(_MAX_CALLS):
            try:
                return self._call(method, {**values, **self._destination(method, state)}, files), state
            except _FixableError as error:
                state, values = _fix(error, state, values, plain)
        raise ChannelError("telegram refuses a message again and again", permanent=True)

    def _destination(self, method: str, state: ChannelState) -> dict[str, Any]:
        destination: dict[str, Any] = {"chat_id": state.chat_id or self._bot.chat_id}
        if self._bot.thread_id is not None and not state.without_thread and method != "editMessageText":
            destination["message_thread_id"] = self._bot.thread_id
        return destination

    def _call(self, method: str, values: Mapping[str, Any], files: Mapping[str, Any] | None) -> Mapping[str, Any]:
        url = f"{self._bot.api_url.rstrip('/')}/bot{self._bot.token.get_secret_value()}/{method}"
        try:
            if files is None:
                response = self._client.post(url, json=dict(values))
            else:
                response = self._client.post(
                    url, data={name: str(value) for name, value in values.items()}, files=files
                )
        except _NOT_SENT as error:
            raise ChannelError(f"telegram cannot be reached: {_error_text(error)}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ChannelError(f"telegram did not answer: {_error_text(error)}", outcome_unknown=True) from None
        return _result(response)


def _text(message: Message) -> dict[str, Any]:
    return {"text": message.html, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def _error_text(error: Exception) -> str:
    """The error without its own text, which may contain the URL."""
    return safe_text(error)


class _FixableError(Exception):
    """Telegram refused a call for a reason that another call may avoid."""

    def __init__(self, description: str, chat_id: str | None = None) -> None:
        super().__init__(description)
        self.chat_id = chat_id


def _fix(
    error: _FixableError, state: ChannelState, values: Mapping[str, Any], plain: str | None
) -> tuple[ChannelState, Mapping[str, Any]]:
    """Change the state or the values so that the next call may be accepted.

    Raises:
        ChannelError: nothing is left to change.
    """
    if error.chat_id is not None and error.chat_id != state.chat_id:
        return replace(state, chat_id=error.chat_id), values
    if "thread not found" in str(error) and not state.without_thread:
        return replace(state, without_thread=True), values
    if plain is not None and "parse_mode" in values and not any(each in str(error) for each in _EDIT_ERRORS):
        without_markup = {name: value for name, value in values.items() if name != "parse_mode"} | {"text": plain}
        return replace(state, plain_texts=state.plain_texts + 1), without_markup
    if plain is not None and values.get("text") == plain != _PLACEHOLDER:
        return state, {**values, "text": _PLACEHOLDER}
    raise ChannelError(f"telegram refuses a message: {str(error)[:200]}", message_rejected=True)


def _result(response: httpx.Response) -> Mapping[str, Any]:
    """The result of a call.

    Raises:
        ChannelError: it was refused, or the server is not Telegram.
        _FixableError: another call may be accepted.
    """
    body = _json(response)
    if response.status_code < 300 and body.get("ok") is True:  # noqa: PLR2004  # 2xx
        result = body.get("result")
        return result if isinstance(result, Mapping) else {}
    description = str(body.get("description") or "")[:300]
    raw_parameters = body.get("parameters")
    parameters: Mapping[str, Any] = raw_parameters if isinstance(raw_parameters, Mapping) else {}
    if response.status_code == _TOO_MANY_REQUESTS:
        seconds = _retry_after(response, parameters)
        raise ChannelError(f"telegram asks to wait {seconds:.0f} s", retry_after=seconds)
    if response.status_code in _PERMANENT_STATUSES or any(each in description for each in _CONFIGURATION_ERRORS):
        raise ChannelError(f"telegram refuses ({response.status_code}: {description or 'no reason'})", permanent=True)
    if 400 <= response.status_code < _SERVER_ERROR:  # noqa: PLR2004  # 4xx
        new_chat_id = parameters.get("migrate_to_chat_id")
        raise _FixableError(description, None if new_chat_id is None else str(new_chat_id))
    raise ChannelError(f"telegram failed ({response.status_code})", outcome_unknown=True)


def _retry_after(response: httpx.Response, parameters: Mapping[str, Any]) -> float:
    for value in (parameters.get("retry_after"), response.headers.get("retry-after")):
        try:
            if value is not None and float(value) >= 0:
                return float(value)
        except (TypeError, ValueError):
            continue
    return 5.0


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}
