"""Leases: which process of the machine sends, and which one evaluates the rules."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.file import Outbox
from telemetry.processes.file_lock import FileLock

_MIN_LEFT: Final = 0.85
"""Share of a lease that has to be left, so that a call that takes its longest ends within it."""
_TOLERANCE: Final = 5.0
"""A lease that ends later than its length and so many seconds was written before the clock was set back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds it, and until when (Unix time)."""

    holder: str
    until: float


def _never(_holder: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class LeaseClaim:
    """A process's claim to a lease of `seconds`. It expires when its holder hangs, and ends when `is_dead` tells so."""

    name: str
    holder: str
    seconds: float
    is_dead: Callable[[str], bool] = _never

    def read(self, connection: sqlite3.Connection) -> Lease | None:
        """The lease; None if there is none, or if its holder is dead."""
        row = connection.execute("SELECT holder, until FROM leases WHERE name = ?", (self.name,)).fetchone()
        if row is None or (row["holder"] != self.holder and self.is_dead(row["holder"])):
            return None
        return Lease(row["holder"], row["until"])

    def acquire(self, connection: sqlite3.Connection, now: float) -> bool:
        """Acquire or renew the lease for all of its seconds. Returns whether no other process holds it.

        A lease of another process from before the clock was set back is cut to its full length from now on.
        """
        if self.read(connection) is None:
            connection.execute("DELETE FROM leases WHERE name = ?", (self.name,))
        connection.execute(
            "UPDATE leases SET until = ? WHERE name = ? AND until > ?",
            (now + self.seconds, self.name, self._latest(now)),
        )
        return bool(
            connection.execute(
                "INSERT INTO leases (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET holder = excluded.holder, until = excluded.until "
                "WHERE leases.holder = excluded.holder OR leases.until <= ?",
                (self.name, self.holder, now + self.seconds, now),
            ).rowcount
        )

    def renew(self, connection: sqlite3.Connection, now: float) -> bool:
        """Renew the lease for all of its seconds. Returns whether this process still holds it."""
        return bool(
            connection.execute(
                "UPDATE leases SET until = ? WHERE name = ? AND holder = ? AND until > ?",
                (now + self.seconds, self.name, self.holder, now),
            ).rowcount
        )

    def is_held_by_other(self, lease: Lease | None, now: float) -> bool:
        """False for a lease from before the clock was set back, which `acquire` cuts."""
        if lease is None or lease.holder == self.holder:
            return False
        return now < lease.until <= self._latest(now)

    def has_left(self, lease: Lease | None, share: float, now: float) -> bool:
        """Whether this process holds the lease, and more than this share of its seconds are left."""
        if lease is None or lease.holder != self.holder:
            return False
        return now + share * self.seconds < lease.until <= now + self.seconds

    def _latest(self, now: float) -> float:
        return now + self.seconds + _TOLERANCE


class OutboxLeases:
    """Leases that are acquired and released in transactions of their own. `is_dead` tells of a holder whether it is."""

    def __init__(self, outbox: Outbox, is_dead: Callable[[str], bool] = _never) -> None:
        self._outbox = outbox
        self._is_dead = is_dead
        self._lock: FileLock | None = None

    def acquire(self, name: str, holder: str, now: float, seconds: float) -> bool:
        """Acquire or renew a lease; one that has just been renewed is not written again.

        Returns whether this holder has it.
        """
        claim = LeaseClaim(name, holder, seconds, self._is_dead)
        with self._outbox.read() as connection:
            lease = claim.read(connection)
        if claim.has_left(lease, _MIN_LEFT, now):
            return True
        if claim.is_held_by_other(lease, now):
            return False
        with self._outbox.transaction() as connection:
            return claim.acquire(connection, now)

    def lock(self) -> bool:
        """Lock the outbox's directory, for a time in which no lease can be written. Returns whether no other process has it.

        The lock needs no space on the disk, and ends with the process. A directory that cannot be opened locks nobody out.
        """
        if self._lock is None:
            try:
                self._lock = FileLock.acquire(self._outbox.path.parent, os.O_RDONLY)
            except OSError:
                return True
        return self._lock is not None

    def unlock(self) -> None:
        """Release the directory, if this process holds it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def release(self, holder: str) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE holder = ?", (holder,))
