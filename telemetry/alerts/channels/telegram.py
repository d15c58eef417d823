"""The Telegram channel: one call of the Bot API for each message. The token is in the URL and appears nowhere else."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, MessageGone, Sent
from telemetry.alerts.channels.http_call import SEND_SECONDS, channel_client, post
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.channels.telegram_response import TELEGRAM, FixableError, result_of
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.http_client.foreign_values import integer64
from telemetry.instrumentation.external_services import ExternalService

NAME: Final = TELEGRAM
ENDPOINTS: Final = (
    "/bot{token}/getMe",
    "/bot{token}/getChat",
    "/bot{token}/sendMessage",
    "/bot{token}/editMessageText",
    "/bot{token}/sendDocument",
    "/bot{token}/getUpdates",
    "/bot{token}/answerCallbackQuery",
    "/bot{token}/setMyCommands",
)
GROUP_RATE_LIMIT: Final = ChannelRateLimit(1.0, 18)
"""Telegram allows a message a second in a chat and twenty a minute in a group; two are left for clocks that differ."""
_MAX_CALLS: Final = 5
"""Calls for one message: as it is, to another chat, without the topic, as plain text, and as a placeholder."""
_PLACEHOLDER: Final = "🚨 An alert that Telegram does not take in any form: GET /alerts shows it."
_CAPTION: Final = "The rest of the message before."
_EDIT: Final = "editMessageText"
_UNCHANGED: Final = "message is not modified"
_GONE_ERRORS: Final = ("message to edit not found", "can't be edited", "no text in the message", "TOPIC_")
_EDIT_ERRORS: Final = (_UNCHANGED, *_GONE_ERRORS)


@dataclass(frozen=True, slots=True)
class Bot:
    """The bot that sends, and the chat and topic that it sends to."""

    token: SecretStr
    chat_id: str
    thread_id: int | None = None
    api_url: str = "https://api.telegram.org"

    @property
    def id(self) -> str:
        """The number before the colon of the token, which is no secret."""
        return self.token.get_secret_value().partition(":")[0]

    @property
    def destination(self) -> str:
        """The chat and the topic, as they are configured."""
        return self.chat_id if self.thread_id is None else f"{self.chat_id}/{self.thread_id}"

    @property
    def service(self) -> ExternalService:
        return service(self.api_url)


def service(api_url: str) -> ExternalService:
    return ExternalService(NAME, api_url, ENDPOINTS)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a method. `plain` is the text without markup, where there is one."""

    method: str
    values: Mapping[str, Any]
    plain: str | None = None
    files: Mapping[str, Any] = field(default_factory=dict)

    def content(self, destination: Mapping[str, Any]) -> dict[str, Any]:
        """The body: JSON, or a form if there are files."""
        values = {**destination, **self.values}
        if not self.files:
            return {"json": values}
        return {"data": {name: str(value) for name, value in values.items()}, "files": self.files}


class Telegram:
    """Sends to one chat. When the group became a supergroup, the state that is returned has its new id.

    A message is edited in the chat in which it is, even if others are sent elsewhere by now.
    """

    name: Final = NAME
    rate_limit: Final = GROUP_RATE_LIMIT

    def __init__(self, bot: Bot, client: httpx.Client | None = None, seconds: float = SEND_SECONDS) -> None:
        self._bot = bot
        self._client = client or channel_client(bot.api_url)
        self._seconds = seconds

    def close(self) -> None:
        self._client.close()

    def send(self, notification: Notification, message: Message, state: ChannelState) -> Sent:
        state = self._for_destination(state)
        if notification.kind == "file":
            files = {
                "document": (
                    f"alert-{notification.incidents[0].id}.txt",
                    (message.rest or message.plain).encode(),
                    "text/plain",
                )
            }
            result, state = self._call_with_fixes(_Call("sendDocument", {"caption": _CAPTION}, files=files), state)
        else:
            result, state = self._call_with_fixes(_Call("sendMessage", _text(message), message.plain), state)
        message_id = integer64(result.get("message_id"), minimum=1)
        return Sent(message_id, state, _chat_of(result) or self._chat(state), self._bot.id)

    def edit(self, notification: Notification, message: Message, state: ChannelState) -> ChannelState:
        if notification.bot_id not in {None, self._bot.id}:
            raise MessageGone
        known = self._for_destination(state)
        chat = notification.chat_id or self._chat(known)
        target = {"chat_id": chat, "message_id": notification.message_id}
        try:
            return self._call_with_fixes(_Call(_EDIT, _text(message) | target, message.plain), known)[1]
        except ChannelError as error:
            if _UNCHANGED in str(error):
                return state
            is_elsewhere = chat not in {self._bot.chat_id, known.chat_id}
            if any(each in str(error) for each in _GONE_ERRORS) or (is_elsewhere and error.permanent):
                raise MessageGone from None
            raise

    def probe(self, state: ChannelState) -> ChannelState:
        return self._call_with_fixes(_Call("getChat", {}), self._for_destination(state))[1]

    def _for_destination(self, state: ChannelState) -> ChannelState:
        """The state without what was learned about another chat or topic."""
        if state.configured == self._bot.destination:
            return state
        return replace(state, configured=self._bot.destination, chat_id=None, without_thread=False)

    def _chat(self, state: ChannelState) -> str:
        return state.chat_id or self._bot.chat_id

    def _call_with_fixes(self, call: _Call, state: ChannelState) -> tuple[Mapping[str, Any], ChannelState]:
        """Call, and call again with each fixable error fixed, all within one deadline. A refused call has sent nothing."""
        deadline = time.monotonic() + self._seconds
        for _ in range(_MAX_CALLS):
            try:
                return self._call(call, state, deadline), state
            except FixableError as error:
                if call.method == _EDIT and error.chat_id is not None:  # its number is that of another message there
                    raise MessageGone from None
                state, values = _fix(error, state, call.values, call.plain)
                call = replace(call, values=values)
        raise ChannelError("telegram refuses a message again and again", permanent=True)

    def _destination(self, method: str, state: ChannelState) -> dict[str, Any]:
        destination: dict[str, Any] = {"chat_id": self._chat(state)}
        if self._bot.thread_id is not None and not state.without_thread and method.startswith("send"):
            destination["message_thread_id"] = self._bot.thread_id
        return destination

    def _call(self, call: _Call, state: ChannelState, deadline: float) -> Mapping[str, Any]:
        url = f"{self._bot.api_url.rstrip('/')}/bot{self._bot.token.get_secret_value()}/{call.method}"
        content = call.content(self._destination(call.method, state))
        return result_of(post(self._client, NAME, url, deadline, **content))


def _chat_of(result: Mapping[str, Any]) -> str | None:
    """The chat in which Telegram says that the message is: a number, also if the configuration has a name."""
    chat = result.get("chat")
    chat_id = integer64(chat.get("id")) if isinstance(chat, Mapping) else None
    return None if chat_id is None else str(chat_id)


def _text(message: Message) -> dict[str, Any]:
    text = {"text": message.html, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}
    return text | _markup(message)


def _markup(message: Message) -> dict[str, Any]:
    """The buttons. An edit without any removes those that the message has."""
    rows = [[{"text": each.text, "callback_data": each.data} for each in row] for row in message.buttons]
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _fix(
    error: FixableError, state: ChannelState, values: Mapping[str, Any], plain: str | None
) -> tuple[ChannelState, Mapping[str, Any]]:
    """Change the state or the values so that the next call may be accepted.

    Raises:
        ChannelError: nothing is left to change.
    """
    if error.chat_id is not None and error.chat_id != state.chat_id:
        return replace(state, chat_id=error.chat_id), values
    if error.is_about_topic and not state.without_thread:
        return replace(state, without_thread=True), values
    if error.is_about_topic:
        raise ChannelError(f"telegram refuses ({error})", permanent=True)
    if plain is not None and "parse_mode" in values and not any(each in str(error) for each in _EDIT_ERRORS):
        without_markup = {name: value for name, value in values.items() if name != "parse_mode"} | {"text": plain}
        return replace(state, plain_texts=state.plain_texts + 1), without_markup
    if plain is not None and values.get("text") == plain != _PLACEHOLDER:
        return state, {**values, "text": _PLACEHOLDER}
    raise ChannelError(f"telegram refuses a message: {str(error)[:200]}", message_rejected=True)
