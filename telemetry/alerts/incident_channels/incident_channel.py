"""The protocol of a channel that keeps incidents: each step of an incident goes there under one key, and nothing is opened twice."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.incident import Incident
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message


class IncidentStep(StrEnum):
    """What happened to an incident, and what the channel is to do about it."""

    OPEN = "open"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One step of one incident, as it is to be sent.

    Attributes:
        step: what the channel is to do.
        key: the deduplication key, the same from the first step to the last: the incident's fingerprint.
        incident: as it is now.
        message: its text, redacted, as it is in other channels.
        remote_id: what `deliver` returned for the step before; empty for the first.
        acknowledged_by: who acknowledged it; empty for nobody.
        runbook_url, trace_url: empty for none.
        is_possible_duplicate: an attempt before may have arrived.
    """

    step: IncidentStep
    key: str
    incident: Incident
    message: Message
    remote_id: str = ""
    acknowledged_by: str = ""
    runbook_url: str = ""
    trace_url: str = ""
    is_possible_duplicate: bool = False


class IncidentChannel(Protocol):
    @property
    def name(self) -> str:
        """As in `ALERT_CHANNELS`, such as `pagerduty`."""

    @property
    def rate_limit(self) -> ChannelRateLimit: ...

    @property
    def steps(self) -> frozenset[IncidentStep]:
        """What the channel can do. Other steps are not sent there."""

    def deliver(self, event: IncidentEvent) -> str:
        """Send one step, within a deadline. Returns what the next step of this incident has to name; empty for nothing.

        Raises:
            ChannelError: it was not accepted (`permanent`: not until the configuration is changed; `message_rejected`: this
                message never; `retry_after`), or that is unknown (`outcome_unknown`).
        """

    def close(self) -> None: ...


@runtime_checkable
class LearningChannel(Protocol):
    """A channel that learns about its destination, such as the new id of a chat. The outbox keeps that in the channel's state."""

    learned: ChannelState
