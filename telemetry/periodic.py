"""A periodic background task: runs a step again and again in a thread of its own, and outlives the step's errors."""

import logging
import threading
from collections.abc import Callable

from opentelemetry import context

from telemetry.error_text import safe_text
from telemetry.processes import forks
from telemetry.sdk.trace_suppression import suppressed_context

_log = logging.getLogger(__name__)


def _always() -> bool:
    return True


class PeriodicTask(forks.ForkAware):
    """Runs a step periodically. The first failure is a warning, and so is the first success after it.

    A forked child runs it once it has called `start` itself.
    """

    def __init__(
        self,
        step: Callable[[], None],
        interval: float,
        name: str,
        should_continue: Callable[[], bool] = _always,
    ) -> None:
        """Create the task; it runs from `start` on.

        Args:
            step: runs in a context that suppresses tracing.
            interval: the seconds between two runs of the step.
            name: the thread's name, and the subject of the two warnings ("… fails now", "… works again").
            should_continue: asked before each run; the thread ends when it returns False.
        """
        self._step = step
        self._interval = interval
        self._name = name
        self._should_continue = should_continue
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._is_failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._name.lower().replace(" ", "-"), daemon=True)

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        """Start the thread. More than once is harmless."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """Stop the task. Waits up to `timeout` seconds for a step that is running."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        context.attach(suppressed_context())
        while not self._stop.is_set() and self._should_continue():
            self.run_once()
            self._stop.wait(self._interval)

    def run_once(self) -> None:
        """Run the step. Logs its errors and raises none."""
        try:
            self._step()
        except Exception as error:  # noqa: BLE001  # an edge: a step may fail for any reason, and must run again
            if not self._is_failing and not self._stop.is_set():
                _log.warning("%s fails now (%s).", self._name, safe_text(error), exc_info=_log.isEnabledFor(10))
            self._is_failing = True
            return
        if self._is_failing:
            _log.warning("%s works again.", self._name)
        self._is_failing = False
