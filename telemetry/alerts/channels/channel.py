"""The protocol of a channel: it sends one message and says whether a retry makes sense. The dispatcher retries."""

from dataclasses import dataclass
from typing import Final, Protocol

from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.json_safe import without_surrogates
from telemetry.redaction.policy import redact

MAX_UNREADABLE_RESPONSES: Final = 8
"""Responses of a channel without a meaning, since it last accepted a message, after which it is disabled."""
PROBE_INTERVAL: Final = 300.0
"""Seconds after which a disabled channel is tried again."""


class ChannelError(Exception):
    """A message was not accepted, or its outcome is unknown. The text is redacted, so that it may be shown.

    Args:
        text: what happened, in a few words.
        outcome_unknown: the message may have arrived.
        retry_after: seconds for which the channel asks to be left alone.
        permanent: the channel accepts no message until its configuration, or that of its receiver, is changed.
        message_rejected: the channel does not accept this message.
    """

    def __init__(
        self,
        text: str,
        *,
        outcome_unknown: bool = False,
        retry_after: float | None = None,
        permanent: bool = False,
        message_rejected: bool = False,
    ) -> None:
        super().__init__(redact(without_surrogates(text)))
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after
        self.permanent = permanent
        self.message_rejected = message_rejected


class UnreadableResponse(ChannelError):
    """A response that is not the channel's own: HTML of a proxy, cut JSON, a redirect. The message may have arrived."""

    def __init__(self, channel: str, status: int) -> None:
        super().__init__(f"{channel} gives an unreadable response ({status})", outcome_unknown=True)


class MessageGone(Exception):  # a person deleted it after reading it
    """The message to edit was deleted."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The message's number, if it has one, the channel's state after the send, and where the message is.

    The number counts in the chat alone, and only the bot that sent the message may edit it.
    """

    message_id: int | None
    state: ChannelState
    chat_id: str | None = None
    bot_id: str | None = None


class Channel(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def rate_limit(self) -> ChannelRateLimit: ...

    def send(self, notification: Notification, message: Message, state: ChannelState) -> Sent:
        """Send a new message.

        Raises:
            ChannelError: it was not accepted, or that is unknown.
        """

    def edit(self, notification: Notification, message: Message, state: ChannelState) -> ChannelState:
        """Replace the text of a message that was sent.

        Raises:
            ChannelError: as for `send`.
            MessageGone: the message was deleted.
        """

    def probe(self, state: ChannelState) -> ChannelState:
        """Ask, without a message, whether the channel works again. One that cannot be asked is tried with the next message.

        Raises:
            ChannelError: it does not.
        """

    def close(self) -> None: ...
