"""Counts wrong tokens by the address that has sent them, in all workers: ten a minute are enough for that minute."""

import ipaddress
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from telemetry.recent.database import RecentDatabase

MAX_ATTEMPTS: Final = 10
WINDOW_SECONDS: Final = 60.0
_MAX_ADDRESSES: Final = 10_000
_MAX_LENGTH: Final = 100
_CUSTOMER_BITS: Final = 64
_COUNT: Final = "SELECT count(*) FROM sign_in_attempts WHERE address = ? AND at > ? AND at <= ?"
_ADD: Final = "INSERT INTO sign_in_attempts (address, at) VALUES (?, ?)"
_FORGET: Final = "DELETE FROM sign_in_attempts WHERE at <= ? OR at > ?"
_BOUND: Final = "DELETE FROM sign_in_attempts WHERE id <= (SELECT max(id) FROM sign_in_attempts) - ?"


class WrongAttempts:
    """The wrong attempts of the last minute: those of this process, and, while their file can be used, those of all others.

    Each call may read or write a file. The address that was quiet for longest is forgotten first.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._guard = threading.RLock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def are_too_many(self, address: str, database: RecentDatabase) -> bool:
        address = _counted_as(address)
        with self._guard:
            own = len(self._recent(address))
        return max(own, self._of_all(address, database)) >= MAX_ATTEMPTS

    def note(self, address: str, database: RecentDatabase) -> None:
        address = _counted_as(address)
        with self._guard:
            times = self._recent(address)
            times.append(self._clock())
            self._times[address] = times
            self._times.move_to_end(address)
            if len(self._times) > _MAX_ADDRESSES:
                self._times.popitem(last=False)
        now = self._clock()
        with suppress(sqlite3.Error, OSError), database.writing() as connection:
            connection.execute(_FORGET, (now - WINDOW_SECONDS, now))
            connection.execute(_BOUND, (_MAX_ADDRESSES,))
            connection.execute(_ADD, (address, now))

    def _of_all(self, address: str, database: RecentDatabase) -> int:
        now = self._clock()
        with suppress(sqlite3.Error, OSError), database.reading() as connection:
            return int(connection.execute(_COUNT, (address, now - WINDOW_SECONDS, now)).fetchone()[0])
        return 0

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address) or deque(maxlen=MAX_ATTEMPTS)
        while times and not 0 <= self._clock() - times[0] < WINDOW_SECONDS:  # also if the clock was set back
            times.popleft()
        return times


def _counted_as(address: str) -> str:
    """What counts as one address. One customer has a network of 64 bits in IPv6; a proxy may send any text as an address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_MAX_LENGTH]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((int(parsed), _CUSTOMER_BITS), strict=False))
