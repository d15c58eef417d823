"""Channel: sends one message and says whether trying again makes sense. Whoever asks it to tries again; the channel does not."""

from dataclasses import dataclass
from typing import Protocol

from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.redaction.policy import redact


class ChannelError(Exception):
    """A message was not accepted, or that is not known (`is_doubtful`). The text is for everybody: no token is in it.

    `retry_after` is how many seconds the channel asks to be left alone. `is_final`: it will not accept any, until somebody has
    changed something; `is_about_message`: it does not take this one.
    """

    def __init__(
        self,
        text: str,
        *,
        is_doubtful: bool = False,
        retry_after: float | None = None,
        is_final: bool = False,
        is_about_message: bool = False,
    ) -> None:
        super().__init__(redact(text))
        self.is_doubtful = is_doubtful
        self.retry_after = retry_after
        self.is_final = is_final
        self.is_about_message = is_about_message


class MessageGone(Exception):  # it was deleted by somebody who has read it
    """There is nothing to edit any more."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The message's number, if it has one, and what was learned of the channel."""

    message_id: int | None
    state: ChannelState


class Channel(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def pace(self) -> ChannelRateLimit: ...

    def send(self, post: Notification, message: Message, state: ChannelState) -> Sent:
        """Raises:
        ChannelError: it was not accepted, as far as that is known.
        """

    def edit(self, post: Notification, message: Message, state: ChannelState) -> ChannelState:
        """Raises:
        ChannelError: likewise. MessageGone: it was deleted.
        """

    def close(self) -> None: ...
