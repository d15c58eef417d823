"""PeriodicTask: a step that is done again and again in a thread of its own, and what it raises is said once."""

import logging
import threading
from collections.abc import Callable

from opentelemetry import context

from telemetry.error_text import safe_text
from telemetry.sdk.trace_suppression import suppressed_context

_log = logging.getLogger(__name__)


def _always() -> bool:
    return True


class PeriodicTask:
    """`what` begins two sentences: that it can't be done now, and that it is done again.

    `may_go_on` is asked before each round: a process that is told to stop does no more of them, though it is still there.
    """

    def __init__(
        self, step: Callable[[], None], every: float, what: str, may_go_on: Callable[[], bool] = _always
    ) -> None:
        """`every` is in seconds."""
        self._step = step
        self._every = every
        self._what = what
        self._may_go_on = may_go_on
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what.lower().replace(" ", "-"), daemon=True)

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self, within: float = 1.0) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(within)

    def _run(self) -> None:
        context.attach(suppressed_context())
        while not self._stop.is_set() and self._may_go_on():
            self.go()
            self._stop.wait(self._every)

    def go(self) -> None:
        """One round, which raises nothing."""
        try:
            self._step()
        except Exception as error:  # noqa: BLE001  # the edge: the database may be away for any reason
            if not self._failing and not self._stop.is_set():
                _log.warning("%s fails now (%s).", self._what, safe_text(error), exc_info=_log.isEnabledFor(10))
            self._failing = True
            return
        if self._failing:
            _log.warning("%s works again.", self._what)
        self._failing = False
