"""The calls of the Bot API that reading updates needs. They are made in the poller's thread, each with a deadline."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import httpx

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.http_call import MAX_ANSWER_BYTES, post
from telemetry.alerts.channels.telegram import Bot
from telemetry.alerts.channels.telegram_response import TELEGRAM, FixableError, result_of, results_of
from telemetry.alerts.rendering.markup import clean, cut
from telemetry.alerts.rendering.message import MAX_LENGTH
from telemetry.alerts.telegram_updates.update import Place
from telemetry.environment.proxies import proxy_for
from telemetry.http_client.transport import BoundedTransport
from telemetry.redaction.policy import redact

POLL_SECONDS: Final = 20
"""For how long Telegram keeps a request for updates open."""
_ALLOWED: Final = ("message", "callback_query")
_MAX_UPDATES: Final = 20
_CALL_SECONDS: Final = 10.0
_POLL_DEADLINE: Final = POLL_SECONDS + 10.0
_TIMEOUT: Final = httpx.Timeout(_POLL_DEADLINE, connect=5.0)
_MAX_QUERY_ANSWER: Final = 200
"""Characters of `answerCallbackQuery`."""
_MAX_RETRY: Final = 10.0
_TOO_OLD: Final = ("query is too old", "query id is invalid")
_WEBHOOK: Final = "webhook is active"
_CONFLICT: Final = "Conflict: "


class PollingConflict(Exception):  # named for what is the case
    """Another process, elsewhere, reads the updates of this bot; or a webhook gets them."""

    @property
    def is_webhook(self) -> bool:
        return _WEBHOOK in str(self)


class BotClient:
    """`pause` waits for some seconds, or less while the process ends. `client` is for tests."""

    def __init__(
        self,
        bot: Bot,
        client: httpx.Client | None = None,
        pause: Callable[[float], object] = time.sleep,
        poll_seconds: int = POLL_SECONDS,
    ) -> None:
        self._bot = bot
        self._poll_seconds = poll_seconds
        self._pause = pause
        transport = BoundedTransport(MAX_ANSWER_BYTES, proxy_for(bot.api_url)) if client is None else None
        self._client = client or httpx.Client(transport=transport, timeout=_TIMEOUT)

    def close(self) -> None:
        self._client.close()

    def username(self) -> str:
        """The name of the bot, by which commands in groups may call it."""
        found = result_of(self._post("getMe", {})).get("username")
        return found if isinstance(found, str) else ""

    def updates(self, offset: int | None) -> Sequence[object]:
        """Wait for updates from a number on. Those before it are confirmed: Telegram forgets them.

        Raises:
            ChannelError: they cannot be read now.
            PollingConflict: they are read elsewhere.
        """
        return self._updates(offset, self._poll_seconds, _MAX_UPDATES)

    def _updates(self, offset: int | None, seconds: int, limit: int) -> Sequence[object]:
        values: dict[str, Any] = {"timeout": seconds, "limit": limit, "allowed_updates": _ALLOWED}
        values |= {} if offset is None else {"offset": offset}
        try:
            return results_of(self._post("getUpdates", values, _POLL_DEADLINE))
        except FixableError as error:
            if str(error).startswith(_CONFLICT):
                raise PollingConflict(str(error)) from None
            raise ChannelError(f"telegram refuses getUpdates: {str(error)[:200]}") from None

    def confirm(self, update_id: int) -> None:
        """Confirm an update, and those before it."""
        self._updates(update_id + 1, 0, 1)

    def answer_press(self, query_id: str, text: str) -> bool:
        """Show a line to the person who pressed. Returns False if the press is too old for that."""
        try:
            self._call(
                "answerCallbackQuery",
                {"callback_query_id": query_id, "text": cut(_shown(text), _MAX_QUERY_ANSWER)},
            )
        except ChannelError as error:
            if any(each in str(error).lower() for each in _TOO_OLD):
                return False
            raise
        return True

    def reply(self, place: Place, text: str) -> None:
        """Answer a message, as plain text. A chat in which too much is sent gets no answer."""
        values: dict[str, Any] = {
            "chat_id": place.chat_id,
            "text": cut(_shown(text), MAX_LENGTH) or "-",
            "link_preview_options": {"is_disabled": True},
        }
        if place.thread_id is not None:
            values["message_thread_id"] = place.thread_id
        if place.message_id is not None:
            values["reply_parameters"] = {"message_id": place.message_id, "allow_sending_without_reply": True}
        try:
            self._call("sendMessage", values)
        except ChannelError as error:
            if error.retry_after is None or error.retry_after > _MAX_RETRY:
                raise
            self._pause(error.retry_after)
            self._call("sendMessage", values)

    def show_commands(self, commands: Mapping[str, str]) -> None:
        """Offer the commands, each with its description, where a person types."""
        listed = [{"command": name, "description": description} for name, description in commands.items()]
        with suppress(ChannelError):
            self._call("setMyCommands", {"commands": listed})

    def _call(self, method: str, values: Mapping[str, Any]) -> None:
        try:
            result_of(self._post(method, values))
        except FixableError as error:
            raise ChannelError(f"telegram refuses {method}: {str(error)[:200]}", message_rejected=True) from None

    def _post(self, method: str, values: Mapping[str, Any], seconds: float = _CALL_SECONDS) -> Any:
        url = f"{self._bot.api_url.rstrip('/')}/bot{self._bot.token.get_secret_value()}/{method}"
        return post(self._client, TELEGRAM, url, time.monotonic() + seconds, json=dict(values))


def _shown(text: str) -> str:
    return redact(clean(text)).strip()
