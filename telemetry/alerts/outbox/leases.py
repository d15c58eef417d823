"""Leases: which process of the machine sends, and which one evaluates the rules."""

import fcntl
import os
import sqlite3
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.outbox.file import Outbox

_MIN_LEFT: Final = 0.85
"""Share of a lease that has to be left, so that a call that takes its longest ends within it."""
_CLOCK_SET_BACK: Final = 10
"""A lease that ends later than so many of its lengths was written before the clock was set back; it does not count."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds it, and until when (Unix time)."""

    holder: str
    until: float


@dataclass(frozen=True, slots=True)
class LeaseClaim:
    """A process's claim to a lease of `seconds`. The lease of a process that died expires."""

    name: str
    holder: str
    seconds: float

    def read(self, connection: sqlite3.Connection) -> Lease | None:
        row = connection.execute("SELECT holder, until FROM leases WHERE name = ?", (self.name,)).fetchone()
        return None if row is None else Lease(row["holder"], row["until"])

    def acquire(self, connection: sqlite3.Connection, now: float) -> bool:
        """Acquire or renew the lease for all of its seconds. Returns whether no other process holds it."""
        return bool(
            connection.execute(
                "INSERT INTO leases (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET holder = excluded.holder, until = excluded.until "
                "WHERE leases.holder = excluded.holder OR leases.until <= ? OR leases.until > ?",
                (self.name, self.holder, now + self.seconds, now, now + _CLOCK_SET_BACK * self.seconds),
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
        if lease is None or lease.holder == self.holder:
            return False
        return now < lease.until <= now + _CLOCK_SET_BACK * self.seconds

    def has_left(self, lease: Lease | None, share: float, now: float) -> bool:
        """Whether this process holds the lease, and more than this share of its seconds are left."""
        if lease is None or lease.holder != self.holder:
            return False
        return now + share * self.seconds < lease.until <= now + self.seconds


class OutboxLeases:
    """Leases that are acquired and released in transactions of their own."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._lock: int | None = None

    def acquire(self, name: str, holder: str, now: float, seconds: float) -> bool:
        """Acquire or renew a lease; one that has just been renewed is not written again.

        Returns whether this holder has it.
        """
        claim = LeaseClaim(name, holder, seconds)
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
        if self._lock is not None:
            return True
        try:
            descriptor = os.open(self._outbox.path.parent, os.O_RDONLY)
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            return not isinstance(error, BlockingIOError)
        self._lock = descriptor
        return True

    def unlock(self) -> None:
        """Release the directory, if this process holds it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def release(self, holder: str) -> None:
        with self._outbox.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE holder = ?", (holder,))
