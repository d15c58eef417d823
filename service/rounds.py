"""Rounds: a step that is done again and again in a thread of its own, and what it raises is said once."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from opentelemetry import context

from telemetry.health.report import describe
from telemetry.untraced import untraced

_log = logging.getLogger(__name__)


class Rounds:
    """`may_go_on` is asked before each round: a process that is told to stop looks no more, though it is still there."""

    def __init__(
        self,
        step: Callable[[datetime], None],
        now: Callable[[], datetime],
        every: timedelta,
        may_go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._step = step
        self._now = now
        self._every = every.total_seconds()
        self._may_go_on = may_go_on
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within: float = 1.0) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(within)

    def _run(self) -> None:
        context.attach(untraced())
        while not self._stop.is_set() and self._may_go_on():
            self.go()
            self._stop.wait(self._every)

    def go(self) -> None:
        """One round, which raises nothing."""
        try:
            self._step(self._now())
        except Exception as error:  # noqa: BLE001  # the edge: the database may be away for any reason
            if not self._failing and not self._stop.is_set():
                _log.warning(
                    "The schedule cannot be watched now (%s).", describe(error), exc_info=_log.isEnabledFor(10)
                )
            self._failing = True
            return
        if self._failing:
            _log.warning("The schedule is watched again.")
        self._failing = False
