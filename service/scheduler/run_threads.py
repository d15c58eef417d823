"""The threads in which this process runs jobs: a failing job ends none of the others, and a stop cancels what goes on."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from service.names import SCHEDULER_COMPONENT
from service.shutdown import cancel_thread
from telemetry import semconv

MAX_THREADS_PER_JOB: Final = 8
_CANCEL_TIMEOUT: Final = 1.0
_log = logging.getLogger(__name__)


class RunThreads:
    """A daemon thread for each run. Scheduled and manual runs share them."""

    def __init__(self) -> None:
        self._running: dict[threading.Thread, str] = {}  # the job's name, by its thread
        self._is_stopping = False
        self._lock = threading.Lock()

    def start(self, job_name: str, run: Callable[[], None]) -> bool:
        """Run something of a job in a thread of its own. What it raises is logged, and raised nowhere.

        Returns:
            False if nothing was started: `MAX_THREADS_PER_JOB` of the job go on, or `stop` was called.
        """
        thread = threading.Thread(target=_run_logged, args=(job_name, run), name=f"job-{job_name}", daemon=True)
        with self._lock:
            self._running = dict(self.alive())
            if self._is_stopping or list(self._running.values()).count(job_name) >= MAX_THREADS_PER_JOB:
                return False
            thread.start()
            self._running[thread] = job_name
        return True

    def alive(self) -> list[tuple[threading.Thread, str]]:
        """The active threads with the names of their jobs."""
        return [(thread, name) for thread, name in tuple(self._running.items()) if thread.is_alive()]

    def stop(self, deadline: float) -> list[str]:
        """Start no more, wait until `deadline` by `time.monotonic()`, and cancel what has not ended.

        Returns:
            The names of jobs that still run: their cancellation did not take effect in time.
        """
        with self._lock:
            self._is_stopping = True
        self._join(deadline)
        for thread, name in self.alive():
            _log.warning("Job %s did not finish within JOB_GRACE_SECONDS, and is cancelled.", name)
            cancel_thread(thread)
        self._join(time.monotonic() + _CANCEL_TIMEOUT)
        return [name for _, name in self.alive()]

    def _join(self, deadline: float) -> None:
        for thread, _ in self.alive():
            thread.join(max(0.0, deadline - time.monotonic()))


def _run_logged(job_name: str, run: Callable[[], None]) -> None:
    try:
        run()
    except asyncio.CancelledError as error:  # the service is stopping
        _log.info("Job %s was cancelled: %s", job_name, error)
    except (Exception, SystemExit):  # noqa: BLE001  # a failed job is logged once, here; the others go on
        # One failure is no alert: `telemetry.alerts.rules.job_failures` alerts about several in a row.
        attributes = {semconv.COMPONENT: SCHEDULER_COMPONENT, semconv.ALERT_REPORTED_ELSEWHERE: True}
        _log.exception("Job %s failed", job_name, extra=attributes)
