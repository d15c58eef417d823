"""What the buttons under an alert do: acknowledge it, silence its component, run its job again. Each does it once, and says so."""

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.incident import Incident
from telemetry.alerts.incident_delivery.acknowledgements import Acknowledgement, AcknowledgementResult, acknowledge
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import LeaseClaim
from telemetry.alerts.outbox.notifications import NotificationRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.silences import Silence, Silences
from telemetry.alerts.rendering.buttons import SILENCE_HOURS, Press, failing_job
from telemetry.durations import format_clock

_HOUR: Final = 3600.0
_TOLERANCE: Final = 60.0
"""Seconds by which a silence may be longer without being another one."""
_RUN_PAUSE: Final = 60.0
"""Seconds for which *Run again* under one alert does nothing more: it was pressed twice, or by two people."""
_RUN_LEASE: Final = "run again:"
UNKNOWN_ALERT: Final = "This machine does not know the alert: it was deleted, or another machine has sent it."
ENDED: Final = "The alert has ended already."


@dataclass(frozen=True, slots=True)
class PressActions:
    """`outbox` is that of this machine. `clock` is Unix time."""

    outbox: Outbox
    queries: AlertQueries
    silences: Silences
    clock: Callable[[], float]

    def find(self, press: Press) -> Incident | None:
        """The incident of a press; None if this machine has none that fits."""
        records = self.queries.page(self.clock(), before=press.incident_id + 1, limit=1)
        found = records[0].incident if records else None
        return found if found is not None and press.is_about(found) else None

    def acknowledge(self, incident: Incident, by: str) -> tuple[bool, str]:
        """Returns whether this press did it, and what to say."""
        result = acknowledge(self.outbox, incident.id, by, self.clock())
        return result.result is AcknowledgementResult.DONE, self._about(result)

    def _about(self, found: Acknowledgement) -> str:
        match found.result:
            case AcknowledgementResult.DONE:
                return "Acknowledged."
            case AcknowledgementResult.ALREADY_ENDED:
                return ENDED
            case AcknowledgementResult.UNKNOWN:
                return UNKNOWN_ALERT
        at = found.incident.acknowledged_at if found.incident is not None else None
        since = "" if at is None else f", {format_clock(at, self.clock())} UTC"
        return f"Acknowledged already by {found.by}{since}."

    def silence(self, incident: Incident, press: Press, by: str) -> tuple[bool, str]:
        """Silence the component of an incident. Returns whether this press did it, and what to say."""
        now = self.clock()
        until = now + SILENCE_HOURS[press.action] * _HOUR
        longest = self._longest(incident, now)
        if longest is not None and longest.until >= until - _TOLERANCE:
            return False, f"{incident.component} is silenced already, until {format_clock(longest.until, now)} UTC."
        self.silences.create(incident.component, until, f"by {by}", now)
        NotificationRepository(self.outbox).mark_changed(incident.id, now)
        return True, f"{incident.component} is silenced until {format_clock(until, now)} UTC."

    def _longest(self, incident: Incident, now: float) -> Silence | None:
        found = [each for each in self.silences.active(now) if each.component in {incident.component, "all"}]
        return max(found, key=lambda each: each.until, default=None)

    def claim_run(self, incident: Incident, by: str) -> str | None:
        """Claim a run of the job of an incident. Returns who has started one a moment ago; None if it is this press's."""
        name, now = f"{_RUN_LEASE}{incident.id}", self.clock()
        claim = LeaseClaim(name, f"{uuid.uuid4().hex} {by}", _RUN_PAUSE)
        with self.outbox.transaction() as connection:
            _forget_old_claims(connection, now)
            if claim.acquire(connection, now):
                return None
            lease = claim.read(connection)
        return "" if lease is None else lease.holder.partition(" ")[2]


def _forget_old_claims(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("DELETE FROM leases WHERE name LIKE ? AND until < ?", (f"{_RUN_LEASE}%", now))


def job_to_run(incident: Incident) -> str:
    """The job that *Run again* runs; empty for an alert about something else."""
    return failing_job(incident) or ""
