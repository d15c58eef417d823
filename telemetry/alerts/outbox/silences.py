"""Silences: components that nobody wants to hear of for a while, each with an end and a reason."""

from dataclasses import dataclass

from telemetry.alerts.outbox.file import Outbox


@dataclass(frozen=True, slots=True)
class Silence:
    """Moments are Unix time. The component `all` is every one."""

    id: int
    component: str
    until: float
    reason: str
    created_at: float


class Silences:
    """What comes meanwhile is kept and counted. What still lasts, or comes again, when a silence is over is told then."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def begin(self, component: str, until: float, reason: str, now: float) -> Silence:
        with self._outbox.transaction() as connection:
            number = connection.execute(
                "INSERT INTO silences (component, until, reason, created_at) VALUES (?, ?, ?, ?)",
                (component, until, reason, now),
            ).lastrowid
        return Silence(number or 0, component, until, reason, now)

    def end(self, component: str, now: float) -> int:
        """Returns how many there were."""
        with self._outbox.transaction() as connection:
            return connection.execute(
                "UPDATE silences SET until = ? WHERE component = ? AND until > ?", (now, component, now)
            ).rowcount

    def lasting(self, now: float) -> list[Silence]:
        with self._outbox.transaction() as connection:
            rows = connection.execute("SELECT * FROM silences WHERE until > ? ORDER BY until", (now,)).fetchall()
        return [Silence(**dict(row)) for row in rows]
