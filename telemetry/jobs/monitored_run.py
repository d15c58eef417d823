"""A started run of `monitor_job`: its span, the recorder that it waits for, and its end, which happens once."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any

from telemetry.jobs.job_span import JobHandle, JobSpan
from telemetry.jobs.read_your_writes import WaitableRecorder, wait_until_readable, wait_until_readable_async
from telemetry.processes import forks


@dataclass(frozen=True, slots=True, eq=False)
class MonitoredRun:
    """Without a span the run is not recorded. `owner` is the task or thread that started it.

    The run belongs to the process that began it: a forked child that leaves the block does not end it.
    """

    handle: JobHandle
    span: JobSpan | None
    recorder: WaitableRecorder | None
    owner: object
    process: int = field(default_factory=forks.current_process)
    _open: list[bool] = field(default_factory=lambda: [True])

    def enter(self) -> None:
        """Make its span the current one."""
        if self.span is not None:
            self.span.enter()

    def measured(self, awaitable: Awaitable[Any]) -> Awaitable[Any]:
        """The same awaitable, whose CPU time is charged to the run if it is a coroutine."""
        if self.span is None or type(awaitable) is not CoroutineType:
            return awaitable
        return self.span.cost.steps(awaitable)

    def leave(self) -> None:
        """Make the span around it the current one again; the run goes on."""
        if self.span is not None:
            self.span.leave()

    def end(self, error: BaseException | None) -> None:
        """End the run. Only the first call counts: a finalizer may be one more."""
        if self.span is None or not self._takes_end():
            return
        if self.is_ours:
            self.span.end(error)
        else:
            self.span.leave()

    @property
    def is_ours(self) -> bool:
        """Whether this process began the run."""
        return self.process == forks.current_process()

    def finish(self, error: BaseException | None) -> None:
        """End the run, and wait until its row can be read."""
        self.end(error)
        wait_until_readable(self._recorder_of_end(), self.handle.run_id)

    async def finish_async(self, error: BaseException | None) -> None:
        """Like `finish`, without blocking the event loop."""
        self.end(error)
        if isinstance(error, GeneratorExit):  # the coroutine is being closed, and must not await any more
            wait_until_readable(self._recorder_of_end(), self.handle.run_id)
        else:
            await wait_until_readable_async(self._recorder_of_end(), self.handle.run_id)

    def _recorder_of_end(self) -> WaitableRecorder | None:
        return self.recorder if self.is_ours else None

    def _takes_end(self) -> bool:
        try:
            return self._open.pop()
        except IndexError:
            return False
