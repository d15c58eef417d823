"""Read-your-writes: after the block of a job its row can be read, unless the database is slow or unavailable."""

import logging
from typing import Final, Protocol

from telemetry.failsafe import failsafe
from telemetry.threads.worker_thread import is_on_event_loop

WAIT_TIMEOUT: Final = 1.0
EVENT_LOOP_WAIT_TIMEOUT: Final = 0.025
"""Seconds. A synchronous block on the thread of an event loop blocks all its tasks, and so gives up sooner."""
_log = logging.getLogger(__name__)


class WaitableRecorder(Protocol):
    """The part of the recorder that a job waits for."""

    @property
    def is_healthy(self) -> bool: ...
    def wait_recorded(self, timeout: float) -> bool: ...
    async def wait_recorded_async(self, timeout: float) -> bool: ...  # noqa: ASYNC109  # as below
    def wait(self, run_id: str, timeout: float) -> bool: ...
    async def wait_async(self, run_id: str, timeout: float) -> bool: ...  # noqa: ASYNC109  # a timeout is a result, not an error


@failsafe
def wait_until_recorded(recorder: WaitableRecorder | None, run_id: str) -> None:
    """Wait on an event loop's thread until the start of the run is on the disk. In other threads it is already."""
    if recorder is not None and run_id and is_on_event_loop():
        recorder.wait_recorded(EVENT_LOOP_WAIT_TIMEOUT)


async def wait_until_recorded_async(recorder: WaitableRecorder | None, run_id: str) -> None:
    """Wait until the start of the run is on the disk, without blocking the event loop."""
    try:
        if recorder is not None and run_id:
            await recorder.wait_recorded_async(WAIT_TIMEOUT)
    except Exception:  # noqa: BLE001  # an edge: an error of the telemetry must not keep the job from running
        _log.warning("The start of a job could not be waited for.", exc_info=True)


@failsafe
def wait_until_readable(recorder: WaitableRecorder | None, run_id: str) -> None:
    """Block until the run is written, or the timeout passes. Does not wait for an unhealthy database. Never raises."""
    timeout = EVENT_LOOP_WAIT_TIMEOUT if is_on_event_loop() else WAIT_TIMEOUT
    if recorder is not None and run_id and recorder.wait_recorded(timeout) and recorder.is_healthy:
        recorder.wait(run_id, timeout)


async def wait_until_readable_async(recorder: WaitableRecorder | None, run_id: str) -> None:
    """Like `wait_until_readable`, without blocking the event loop. A cancellation of the caller is passed on at once."""
    try:
        if recorder is not None and run_id and await recorder.wait_recorded_async(WAIT_TIMEOUT) and recorder.is_healthy:
            await recorder.wait_async(run_id, WAIT_TIMEOUT)
    except Exception:  # noqa: BLE001  # the edge: the job has ended, and an error of the telemetry must not replace its result
        _log.warning("A job's row could not be waited for.", exc_info=True)
