"""Takes the stack of each of this process's runs that becomes overdue, at that moment, and keeps it for the run's row."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from telemetry.jobs.run import JobRun
from telemetry.processes import forks
from telemetry.stacks.hang_watch import HANG_WATCH
from telemetry.stacks.stack_capture import CapturedStack, HangingWork, capture

MAX_WATCHED_RUNS: Final = 10_000
MAX_KEPT_STACKS: Final = 500
"""Limits: runs beyond them become overdue without a stack."""
_NOT_TAKEN: Final = "(not taken: too many runs of this process are overdue)"
_LATE: Final = timedelta(milliseconds=20)
"""A look comes a little after the deadline, so that the run is overdue by any clock."""


class OverdueStacks(forks.ForkAware):
    """Watches runs with a deadline: from their start, in the thread and task that starts them, to their end.

    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        take: Callable[[HangingWork], CapturedStack] = capture,
    ) -> None:
        self._clock = clock
        self._take = take
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._lock = threading.RLock()
        self._watched: dict[str, tuple[float, HangingWork]] = {}  # each with the time when it is overdue
        self._stacks: dict[str, str] = {}
        self._unsaved: set[str] = set()

    def noted(self, run: JobRun) -> JobRun:
        """Watch a run that starts, and stop watching one that ends. Returns it, with its stack if one was taken."""
        if run.finished_at is not None:
            return self._ended(run)
        if run.deadline_at is not None and len(self._watched) < MAX_WATCHED_RUNS:
            seconds = (run.deadline_at - run.started_at + _LATE).total_seconds()
            with self._lock:
                self._watched[run.run_id] = (self._clock() + seconds, HangingWork.of_caller())
            HANG_WATCH.add(self)
        return run

    def _ended(self, run: JobRun) -> JobRun:
        with self._lock:
            self._watched.pop(run.run_id, None)
            self._unsaved.discard(run.run_id)
            stack = self._stacks.pop(run.run_id, None)
        return run if stack is None or run.overdue_at is None else replace(run, overdue_stack=stack)

    def look(self) -> float:
        """Take the stacks of the runs that are overdue now. Returns the seconds until the next one may be."""
        now = self._clock()
        with self._lock:
            due = [(run_id, work) for run_id, (at, work) in self._watched.items() if at <= now]
        for run_id, work in due:
            self._take_one(run_id, work)
        with self._lock:
            return min((at for at, _ in self._watched.values()), default=math.inf) - self._clock()

    def _take_one(self, run_id: str, work: HangingWork) -> None:
        with self._lock:
            if run_id not in self._watched:
                return
            self._watched[run_id] = (math.inf, work)
        stack = self._take(work).text if len(self._stacks) < MAX_KEPT_STACKS else _NOT_TAKEN
        with self._lock:
            if run_id in self._watched:  # else it has ended meanwhile
                self._stacks[run_id] = stack
                self._unsaved.add(run_id)

    def unsaved(self) -> dict[str, str]:
        """The stacks that are not in the database yet, by run id."""
        with self._lock:
            return {run_id: self._stacks[run_id] for run_id in self._unsaved}

    def saved(self, run_id: str) -> None:
        with self._lock:
            self._unsaved.discard(run_id)

    def stop(self) -> None:
        HANG_WATCH.remove(self)
