"""`monitor_job`: records the runs of a job as `with`, `async with` or decorator, without changing what the job does."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from opentelemetry.trace import Tracer

from telemetry.costs.prices import Prices
from telemetry.jobs.awaited_result import follow, is_coroutine_code, is_under_way, run_to_end
from telemetry.jobs.job_span import JobHandle, JobSpan, JobSpanOptions
from telemetry.jobs.monitor_arguments import Arguments, is_strict_process, warn_once
from telemetry.jobs.monitored_run import MonitoredRun
from telemetry.jobs.read_your_writes import WaitableRecorder, wait_until_recorded, wait_until_recorded_async

_log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class JobMonitoring:
    """The tracer and recorder of this process. Without a recorder there are spans only, and leaving a block does not wait.

    `is_strict`: whether wrong arguments of `monitor_job` raise. `prices`: what the CPU time of a run costs.
    """

    tracer: Tracer
    recorder: WaitableRecorder | None = None
    is_strict: bool = True
    prices: Prices = field(default_factory=Prices)


class _ProcessState:
    """The active monitoring of this process, and whether the warning about missing telemetry was logged."""

    monitoring: JobMonitoring | None = None
    has_warned = False


def activate(monitoring: JobMonitoring) -> None:
    """Record all runs that start from now on with this."""
    _ProcessState.monitoring = monitoring


def deactivate() -> None:
    """Stop recording; runs that have started are recorded to their end."""
    _ProcessState.monitoring = None


def monitor_job(
    name: str,
    metadata: Mapping[str, Any] | None = None,
    *,
    scheduled_for: datetime | None = None,
    max_runtime: timedelta | None = None,
) -> "JobMonitor":
    """Record each `with` block, and each call of a decorated function, as a run of the job.

    If the function returns an awaitable, such as a task, the run ends when the awaitable ends.

    Args:
        name: the name of the job, 1 to 100 printable characters.
        metadata: stored with the run as JSON.
        scheduled_for: the scheduled start of the run, with a time zone.
        max_runtime: after this time the run is marked as overdue in its row; it is not stopped.

    Raises:
        ValueError: the name is invalid, `scheduled_for` has no time zone, or `max_runtime` is not positive.
        TypeError: the metadata is not a mapping.

    Only in development and tests (`ENVIRONMENT`) does it raise. Elsewhere one warning is logged, and the job goes on.
    """
    arguments = Arguments(_is_strict)
    options = JobSpanOptions(arguments.timestamp(scheduled_for), arguments.max_runtime(max_runtime))
    return JobMonitor(arguments.name(name), arguments.metadata(metadata), options)


def _is_strict() -> bool:
    monitoring = _ProcessState.monitoring
    return is_strict_process() if monitoring is None else monitoring.is_strict


class JobMonitor:
    """Reusable, reentrant, and safe to share between threads and tasks: each use is a run of its own."""

    def __init__(self, name: str, metadata: Mapping[str, Any], options: JobSpanOptions) -> None:
        self._name = name
        self._metadata = dict(metadata)
        self._options = options
        self._runs: list[MonitoredRun] = []

    def __enter__(self) -> JobHandle:
        return self.begin().handle

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take_run().finish(error)

    async def __aenter__(self) -> JobHandle:
        return (await self.begin_async()).handle

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._take_run().finish_async(error)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        try:
            _check_function(function)
        except TypeError as error:
            if _is_strict():
                raise
            warn_once(str(error))
            return function
        return self._wrap_async(function) if _is_async(function) else self._wrap_sync(function)

    def _wrap_sync(self, function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def monitored(*args: P.args, **kwargs: P.kwargs) -> R:
            run = self._new_monitor().begin()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                run.finish(error)
                raise
            if is_under_way(result):
                return follow(result, run)
            run.finish(None)
            return result

        return monitored

    def _wrap_async(self, function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        async def monitored(*args: P.args, **kwargs: P.kwargs) -> Any:
            run = await self._new_monitor().begin_async()
            return await run_to_end(lambda: cast("Any", function(*args, **kwargs)), run)

        return cast("Callable[P, R]", monitored)

    def _new_monitor(self) -> "JobMonitor":
        return JobMonitor(self._name, self._metadata, self._options)

    def begin(self) -> MonitoredRun:
        """Start a run, and wait until its start is on the disk."""
        run = self._start_run()
        wait_until_recorded(run.recorder, run.handle.run_id)
        return run

    async def begin_async(self) -> MonitoredRun:
        """Like `begin`, without blocking the event loop."""
        run = self._start_run()
        try:
            await wait_until_recorded_async(run.recorder, run.handle.run_id)
        except BaseException as error:
            self._take_run().end(error)  # a cancelled task does not enter the block, and so does not leave it
            raise
        return run

    def _start_run(self) -> MonitoredRun:
        monitoring, handle = _ProcessState.monitoring, JobHandle(self._name, dict(self._metadata))
        recorder = span = None
        if monitoring is None:
            _warn_once()
        else:
            recorder, span = monitoring.recorder, self._span(monitoring, handle)
            span.start()
        run = MonitoredRun(handle, span, recorder, _current_task_or_thread())
        self._runs.append(run)
        return run

    def _span(self, monitoring: JobMonitoring, handle: JobHandle) -> JobSpan:
        return JobSpan(monitoring.tracer, handle, self._options, monitoring.prices)

    def _take_run(self) -> MonitoredRun:
        """The newest run of this task or thread, which now ends.

        A generator may be closed by another task or thread than the one that started it; then the newest run of all ends.
        """
        owner = _current_task_or_thread()
        run = next((run for run in reversed(self._runs) if run.owner == owner), self._runs[-1])
        self._runs.remove(run)
        return run


def _current_task_or_thread() -> object:
    try:
        return asyncio.current_task() or threading.get_ident()
    except RuntimeError:  # no event loop is running
        return threading.get_ident()


def _check_function(function: object) -> None:
    is_generator = inspect.isgeneratorfunction(function) and not is_coroutine_code(getattr(function, "__code__", None))
    if is_generator or inspect.isasyncgenfunction(function):
        raise TypeError("monitor_job can't decorate a generator function: use `with monitor_job(…)` inside it.")
    if not callable(function) or isinstance(function, type | staticmethod):
        raise TypeError(f"monitor_job decorates a function, not {function!r}.")


def _is_async(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _warn_once() -> None:
    if not _ProcessState.has_warned:
        _ProcessState.has_warned = True
        _log.warning("Jobs are not recorded: the telemetry of this process is not started.")
