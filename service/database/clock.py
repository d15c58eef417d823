"""The clock that several machines share: PostgreSQL's own. With SQLite there is one machine, and its clock is used."""

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Float, cast, func, literal, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from telemetry import private_files

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Clock = Callable[[], float]
"""Gives Unix seconds."""
_COMPARE_SECONDS: Final = 30.0
_RETRY_SECONDS: Final = 5.0
CLOCK_TOLERANCE: Final = timedelta(minutes=1)
"""A stored timestamp that is further in the future was written before the clock was set back. A smaller jump is ignored."""
_MAX_DRIFT: Final = timedelta(seconds=1)
_NEVER_SET_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""A machine without a battery starts in 1970 or 2000. This program did not exist then."""
_log = logging.getLogger(__name__)


def utcnow() -> datetime:
    """Now, by this machine's clock."""
    return datetime.now(UTC)


def database_now(engine: Engine, clock: Clock = time.time) -> ColumnElement[float]:
    """Now, in Unix seconds, as an SQL expression. `clock` is used with SQLite."""
    if engine.dialect.name == "postgresql":
        return cast(func.extract("epoch", func.clock_timestamp()), Float(53))
    return literal(clock(), Float)


def is_of_another_clock(moment: datetime, now: datetime) -> bool:
    """Whether a stored timestamp cannot be true: it is in the future, or from a clock that had not been set yet."""
    return moment > now + CLOCK_TOLERANCE or moment < _NEVER_SET_BEFORE <= now


def elapsed_seconds() -> float:
    """Monotonic seconds. On Linux they include the time for which the machine was suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockMemory:
    """Keeps in a file when the machine was started, by the clock as it was: so a clock that is set while no process runs is noticed."""

    def __init__(self, path: Path, boot_id: Path = Path("/proc/sys/kernel/random/boot_id")) -> None:
        self._path = path
        self._boot_id = boot_id
        self._written: timedelta | None = None

    def read(self) -> timedelta | None:
        """What was written last, unless the machine was started anew since, or the file cannot be read."""
        try:
            boot, seconds = self._path.read_text().split()
            return timedelta(seconds=float(seconds)) if boot == self._boot_id.read_text().strip() else None
        except (OSError, ValueError, OverflowError):
            return None

    def write(self, started_at: timedelta) -> None:
        """Write it if it has changed. A disk that is full keeps the old one."""
        if self._written is not None and abs(started_at - self._written) < _MAX_DRIFT:
            return
        with suppress(OSError):
            private_files.make_directory(self._path.parent)
            partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            private_files.make_file(partial)
            partial.write_text(f"{self._boot_id.read_text().strip()} {started_at.total_seconds():.3f}\n")
            partial.replace(self._path)
            self._written = started_at


class JumpDetector:
    """Notices that the clock was set: compares it with a monotonic one. A `memory` carries the comparison over a restart."""

    def __init__(self, elapsed: Clock = elapsed_seconds, memory: ClockMemory | None = None) -> None:
        self._elapsed = elapsed
        self._memory = memory
        self._offset = None if memory is None else memory.read()

    def observe(self, now: datetime) -> timedelta:
        """How far the clock was set forward since the last observation; negative if it was set back, zero within a minute."""
        offset = now - _EPOCH - timedelta(seconds=self._elapsed())
        jump = timedelta(0) if self._offset is None else offset - self._offset
        self._offset = offset
        if self._memory is not None:
            self._memory.write(offset)
        return jump if abs(jump) > CLOCK_TOLERANCE else timedelta(0)


class DatabaseClock:
    """Timestamps by the database's clock, on a machine whose own clock may be wrong.

    The two clocks are compared every 30 seconds, and when the machine's clock was set. In between, the machine's clock is
    corrected by the last difference. With SQLite the machine's clock is the database's.
    """

    def __init__(self, engine: Engine, clock: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._monotonic = monotonic
        # The database's clock minus this machine's, in seconds; None if that is not known yet.
        self._difference: float | None = None if engine.dialect.name == "postgresql" else 0.0
        self._lock = threading.Lock()  # a thread that asks while another one compares the clocks waits for the result
        self._next_comparison = float("-inf")
        self._jumps = JumpDetector(monotonic)

    def now(self) -> datetime:
        """Until the database has answered for the first time, the machine's clock has to do."""
        with self._lock:
            if self._engine.dialect.name == "postgresql":
                self._follow()
            return self.last_now()

    def last_now(self) -> datetime:
        """By the last difference, for requests: they do not wait for the database."""
        return datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=self._difference or 0.0)

    def known_now(self) -> datetime:
        """The same, for a caller that must not take the machine's clock for the database's.

        Raises:
            SQLAlchemyError: the database has not answered yet.
        """
        now = self.now()
        if self._difference is None:
            raise OperationalError("the database's clock", None, ConnectionError("the database has not answered yet"))
        return now

    def _follow(self) -> None:
        """While the database is unavailable, its clock counts as one that was not set."""
        jump = self._jumps.observe(datetime.fromtimestamp(self._clock(), UTC))
        is_due = jump or self._monotonic() >= self._next_comparison
        if is_due and not self._compare() and self._difference is not None:
            self._difference -= jump.total_seconds()

    def _compare(self) -> bool:
        """Whether the database has answered."""
        before = self._clock()
        try:
            with self._engine.connect() as connection:
                there = connection.scalar(select(database_now(self._engine)))
        except SQLAlchemyError:
            there = None
        self._next_comparison = self._monotonic() + (_RETRY_SECONDS if there is None else _COMPARE_SECONDS)
        if there is not None:
            self._set_difference(there - (before + self._clock()) / 2)
        return there is not None

    def _set_difference(self, difference: float) -> None:
        if abs(difference - (self._difference or 0.0)) > CLOCK_TOLERANCE.total_seconds():
            text = "This machine's clock differs from the database's by %.0f s. The schedule runs by the database's."
            _log.warning(text, -difference)
        self._difference = difference
