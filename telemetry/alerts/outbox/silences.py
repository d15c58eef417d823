"""Silences: components whose alerts are not sent for a while, each with an end and a reason."""

from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.file import Outbox
from telemetry.redaction.policy import redact

IS_SILENCED: Final = (
    "EXISTS (SELECT 1 FROM silences WHERE component IN (incidents.component, 'all') "
    "AND created_at <= :now AND until > :now)"
)
"""SQL: whether an incident is silenced at `:now`."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Timestamps are Unix time. The component `all` stands for every one."""

    id: int
    component: str
    until: float
    reason: str
    created_at: float


class Silences:
    """Alerts of a silenced component are kept and counted; those that last or come again after its end are sent then."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def create(self, component: str, until: float, reason: str, now: float) -> Silence:
        component, reason = redact(component), redact(reason)  # the component as in the incidents
        with self._outbox.transaction() as connection:
            silence_id = connection.execute(
                "INSERT INTO silences (component, until, reason, created_at) VALUES (?, ?, ?, ?)",
                (component, until, reason, now),
            ).lastrowid
        return Silence(silence_id or 0, component, until, reason, now)

    def expire(self, component: str, now: float) -> int:
        """End the silences of a component now. Returns how many there were."""
        component = redact(component)
        with self._outbox.transaction() as connection:
            return connection.execute(
                "UPDATE silences SET until = ? WHERE component = ? AND until > ?", (now, component, now)
            ).rowcount

    def active(self, now: float) -> list[Silence]:
        with self._outbox.read() as connection:
            rows = connection.execute("SELECT * FROM silences WHERE until > ? ORDER BY until", (now,)).fetchall()
        return [Silence(**dict(row)) for row in rows]
