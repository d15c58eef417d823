"""Writes what a process keeps: a thread drains the queue, and writes a batch a second in one short transaction."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from telemetry.error_text import safe_text
from telemetry.failsafe import warn_once
from telemetry.periodic import PeriodicTask
from telemetry.processes import forks
from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import LOG, RATE, TRACE, UNWRITABLE, Drops
from telemetry.recent.keeping import size_limits, trace_rows
from telemetry.recent.keeping.allowance import Allowance
from telemetry.recent.keeping.log_row import INSERT, LogRow, row_of
from telemetry.recent.keeping.pending_traces import PendingTraces, TraceSegment
from telemetry.recent.keeping.recent_queue import LoggedRecord, RecentQueue
from telemetry.recent.keeping.trace_rows import TraceRows, rows_of

DRAIN_SECONDS: Final = 0.5
WRITE_SECONDS: Final = 1.0
_AGE_SECONDS: Final = 60.0
_WARN_SECONDS: Final = 600.0
MAX_ROWS: Final = 2000
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024
"""What waits at most for a file that cannot be written."""
LINES_A_SECOND: Final = 200
LINES_AT_ONCE: Final = 2000
_log = logging.getLogger(__name__)


class RecentWriter(forks.ForkAware):
    """One for a process. A file that cannot be written costs what came meanwhile, and nothing else.

    Attributes:
        sizes: how many traces are kept for each reason, and how many lines, and their bytes, as of the last batch.
    """

    def __init__(self, database: RecentDatabase, drops: Drops, clock: Callable[[], float] = time.monotonic) -> None:
        self.queue = RecentQueue(drops, self.start)
        self.sizes: dict[str, tuple[int, int]] = {}
        self._database = database
        self._drops = drops
        self._clock = clock
        self._warned_at = float("-inf")
        self.restart_in_child()
        self._task = PeriodicTask(self.step, DRAIN_SECONDS, "Recent traces")
        forks.register(self)

    def restart_in_child(self) -> None:
        """What waits is the parent's, and so is a lock that its thread may hold."""
        self._busy = threading.RLock()
        self._pending = PendingTraces.of(self._drops)
        self._lines = Allowance(LINES_A_SECOND, LINES_AT_ONCE, self._clock)
        self._traces: list[TraceRows] = []
        self._logs: list[LogRow] = []
        self._written_at = self._aged_at = float("-inf")

    def start(self) -> None:
        self._task.start()

    def shutdown(self, deadline: float) -> bool:
        """Write all that is queued. Returns whether that is done."""
        self.queue.close()
        self._task.stop(deadline)
        if not self._busy.acquire(timeout=deadline):
            return False
        try:
            self._take(self._pending.add(self.queue.drain()))
            self._take(self._pending.flush())
            self._write()
            lost = len(self._traces) + len(self._logs)
            self._give_up()
        finally:
            self._busy.release()
        return not lost

    def step(self) -> None:
        """Drain the queue, and write when it is time for that."""
        with self._busy:
            self._take(self._pending.add(self.queue.drain()))
            if self._clock() - self._written_at >= WRITE_SECONDS:
                self._write()

    def _take(self, kept: Iterable[TraceSegment | LoggedRecord]) -> None:
        for each in kept:
            try:
                if isinstance(each, TraceSegment):
                    self._traces.append(rows_of(each))
                elif self._lines.take():
                    self._logs.append(row_of(each))
                else:
                    self._drops.count(LOG, RATE)
            except Exception:  # noqa: BLE001  # an edge: a value that cannot be read costs only its own trace or line
                warn_once("RecentWriter")

    def _write(self) -> None:
        now = self._clock()
        is_time_to_age = now - self._aged_at >= _AGE_SECONDS
        if not (self._traces or self._logs or is_time_to_age):
            return
        try:
            with self._database.writing() as connection:
                self._write_rows(connection, is_time_to_age)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
            self._give_up_beyond_limit()
            return
        self._traces, self._logs = [], []
        self._written_at = now
        self._aged_at = now if is_time_to_age else self._aged_at

    def _write_rows(self, connection: sqlite3.Connection, is_time_to_age: bool) -> None:  # noqa: FBT001
        for rows in self._traces:
            trace_rows.write(connection, rows)
        connection.executemany(INSERT, self._logs)
        if is_time_to_age:
            size_limits.remove_aged(connection, time.time())
        size_limits.make_room(connection, size_limits.MAX_BYTES)
        self.sizes = size_limits.sizes(connection)

    def _give_up_beyond_limit(self) -> None:
        size = sum(len(rows.body) for rows in self._traces) + sum(row.bytes for row in self._logs)
        if len(self._traces) + len(self._logs) > MAX_ROWS or size > MAX_BATCH_BYTES:
            self._give_up()

    def _give_up(self) -> None:
        self._drops.count(TRACE, UNWRITABLE, len(self._traces))
        self._drops.count(LOG, UNWRITABLE, len(self._logs))
        self._traces, self._logs = [], []

    def _warn(self, error: Exception) -> None:
        now = self._clock()
        if now - self._warned_at >= _WARN_SECONDS:
            self._warned_at = now
            _log.warning(
                "%s cannot be written (%s): the console misses what happens meanwhile. It is tried again every second.",
                self._database.path.name,
                safe_text(error),
            )
