"""Read-back: when the block has ended its row can be read, unless the database would keep the job waiting."""

import asyncio
import logging
from typing import Final, Protocol

from telemetry.failsafe import failsafe

WAIT_TIMEOUT: Final = 1.0  # seconds; a sync block on an event loop's thread keeps others waiting, and gives up sooner
EVENT_LOOP_WAIT_TIMEOUT: Final = 0.025
_log = logging.getLogger(__name__)


class WaitableRecorder(Protocol):
    """What writes the runs, as far as a job waits for it."""

    @property
    def is_healthy(self) -> bool: ...
    def wait(self, run_id: str, timeout: float) -> bool: ...
    async def wait_async(self, run_id: str, timeout: float) -> bool: ...  # noqa: ASYNC109  # it is an answer, no error


@failsafe
def wait_until_readable(recorder: WaitableRecorder | None, run_id: str) -> None:
    if recorder is not None and run_id and recorder.is_healthy:
        recorder.wait(run_id, EVENT_LOOP_WAIT_TIMEOUT if _is_on_event_loop() else WAIT_TIMEOUT)


async def wait_until_readable_async(recorder: WaitableRecorder | None, run_id: str) -> None:
    """A cancellation that comes meanwhile is the caller's, and goes on at once."""
    try:
        if recorder is not None and run_id and recorder.is_healthy:
            await recorder.wait_async(run_id, WAIT_TIMEOUT)
    except Exception:  # noqa: BLE001  # telemetry is an edge: the job has ended, and its result is not ours to change
        _log.warning("A job's row could not be waited for.", exc_info=True)


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
