"""Acknowledgements: a person takes an incident on, so that it is not escalated any more."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telemetry.alerts.incident import COLUMNS_WITHOUT_STACK, Incident
from telemetry.alerts.outbox.file import Outbox
from telemetry.json_safe import without_surrogates
from telemetry.redaction.policy import redact
from telemetry.redaction.shortening import beginning

MAX_NAME: Final = 100
"""Characters of a person's name."""
_ACKNOWLEDGE: Final = (
    "UPDATE incidents SET acknowledged_at = max(?, first_at), acknowledged_by = ? "
    "WHERE id = ? AND acknowledged_at IS NULL AND ended_at IS NULL"
)
_FIND: Final = f"SELECT {COLUMNS_WITHOUT_STACK} FROM incidents WHERE id = ?"  # noqa: S608  # the constant above


class AcknowledgementResult(StrEnum):
    DONE = "done"
    ALREADY_ACKNOWLEDGED = "already acknowledged"
    ALREADY_ENDED = "already ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """`incident` is as it is after that, without its traceback; None if there is none with that id."""

    result: AcknowledgementResult
    incident: Incident | None = None

    @property
    def by(self) -> str:
        """Who has acknowledged the incident, this time or before; empty if it is not acknowledged."""
        return "" if self.incident is None else self.incident.acknowledged_by


def acknowledge(outbox: Outbox, incident_id: int, by: str, now: float) -> Acknowledgement:
    """Acknowledge an open incident. The first of two wins, also if they are two processes; a second time changes nothing.

    Args:
        outbox: of this machine.
        incident_id: its `id`.
        by: the person who acknowledges it; recorded as `unknown` if it is empty.
        now: Unix time.

    Raises:
        sqlite3.Error, OSError: the outbox cannot be written now.
    """
    if not 0 < incident_id < 2**63:
        return Acknowledgement(AcknowledgementResult.UNKNOWN)
    name = beginning(redact(without_surrogates(" ".join(by.split()))), MAX_NAME) or "unknown"
    with outbox.transaction() as connection:
        is_done = connection.execute(_ACKNOWLEDGE, (now, name, incident_id)).rowcount
        row = connection.execute(_FIND, (incident_id,)).fetchone()
    if row is None:
        return Acknowledgement(AcknowledgementResult.UNKNOWN)
    incident = Incident.from_row(row)
    if is_done:
        return Acknowledgement(AcknowledgementResult.DONE, incident)
    if not incident.is_open:
        return Acknowledgement(AcknowledgementResult.ALREADY_ENDED, incident)
    return Acknowledgement(AcknowledgementResult.ALREADY_ACKNOWLEDGED, incident)
