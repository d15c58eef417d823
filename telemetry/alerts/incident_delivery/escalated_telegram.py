"""Telegram as a step of the escalation alone: one message for each escalated incident, which is edited, and one about its end."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from telemetry.alerts.channels.channel import ChannelError, MessageGone
from telemetry.alerts.channels.http_call import SEND_SECONDS
from telemetry.alerts.channels.telegram import GROUP_RATE_LIMIT, NAME, Bot, Telegram
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Links, Message, RenderRequest, render

_CALL_SECONDS: Final = SEND_SECONDS / 2
"""The message about the end is followed by an edit: both are shorter than the lease of the process that sends."""


class EscalatedTelegram:
    """A remote id is `BOT/CHAT/MESSAGE`. A message that a person has deleted is not sent again.

    `links` are those of an alert that has ended, which has no buttons. `learned` is what Telegram says about the chat.
    """

    name: Final = NAME
    rate_limit: Final = GROUP_RATE_LIMIT
    steps: Final = frozenset(IncidentStep)

    def __init__(
        self,
        bot: Bot,
        links: Links,
        telegram: Telegram | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._links = links
        self._telegram = telegram or Telegram(bot, seconds=_CALL_SECONDS)
        self._pause = pause
        self.learned = ChannelState(NAME)

    def deliver(self, event: IncidentEvent) -> str:
        if event.step == IncidentStep.OPEN:
            return self._send(event, Notification("alert", [event.incident]))
        if event.step == IncidentStep.RESOLVE:
            self._send(event, Notification("end", [event.incident]))
            self._remove_buttons(event)
            return event.remote_id
        self._edit(event, event.message)
        return event.remote_id

    def _send(self, event: IncidentEvent, notification: Notification) -> str:
        sent = self._telegram.send(notification, event.message, self.learned)
        self.learned = sent.state
        return f"{sent.bot_id}/{sent.chat_id}/{sent.message_id}"

    def _edit(self, event: IncidentEvent, message: Message) -> None:
        bot_id, chat_id, number = [*event.remote_id.split("/"), "", ""][:3]
        if not number.isdecimal():
            return
        notification = Notification("alert", [event.incident], message_id=int(number), chat_id=chat_id, bot_id=bot_id)
        with suppress(MessageGone):
            self.learned = self._telegram.edit(notification, message, self.learned)

    def _remove_buttons(self, event: IncidentEvent) -> None:
        """After the pause that Telegram wants. The end was sent: what fails here must not send it again."""
        if event.remote_id:
            incident = event.incident
            now = incident.last_at if incident.ended_at is None else incident.ended_at
            self._pause(self.rate_limit.interval)
            with suppress(ChannelError):
                self._edit(event, render(RenderRequest("alert", [incident], now), self._links))

    def probe(self) -> str:
        """Ask whether the bot reaches the chat.

        Raises:
            ChannelError: it does not.
        """
        self.learned = self._telegram.probe(self.learned)
        return "the bot reaches the chat"

    def close(self) -> None:
        self._telegram.close()
