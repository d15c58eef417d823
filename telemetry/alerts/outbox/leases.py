"""Leases: which process of the machine sends, and which one evaluates the rules."""

from typing import Final

from telemetry.alerts.outbox.file import Outbox

_MIN_LEFT: Final = 0.85
"""Share of a lease that has to be left, so that a call that takes its longest ends within it."""


class OutboxLeases:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def acquire(self, name: str, holder: str, now: float, seconds: float) -> bool:
        """Acquire or renew a lease of so many seconds. A lease that has just been renewed is not written again.

        Returns whether this holder has it. The lease of a process that died expires.
        """
        with self._outbox.transaction() as connection:
            row = connection.execute("SELECT holder, until FROM leases WHERE name = ?", (name,)).fetchone()
            if (
                row is not None
                and row["holder"] == holder
                and now + _MIN_LEFT * seconds < row["until"] <= now + seconds
            ):
                return True
            return bool(
                connection.execute(
                    "INSERT INTO leases (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                    "SET holder = excluded.holder, until = excluded.until "
                    "WHERE leases.holder = excluded.holder OR leases.until <= ? OR leases.until > ?",
                    (name, holder, now + seconds, now, now + 10 * seconds),  # a clock that was set back
                ).rowcount
            )

    def release(self, holder: str) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE holder = ?", (holder,))
