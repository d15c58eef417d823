"""Keeps a run open until the awaitable that its function returned has ended: a coroutine, a task, a future or another one."""

import asyncio
import concurrent.futures
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass
from types import CoroutineType, GeneratorType, TracebackType
from typing import Any, TypeVar, cast

from telemetry.failsafe import warn_once
from telemetry.jobs.monitored_run import MonitoredRun

R = TypeVar("R")


def is_under_way(result: object) -> bool:
    """Whether the work goes on in this result. Asks only its type: an attribute of a foreign object may do anything."""
    return _is_future(result) or hasattr(type(result), "__await__") or _is_generator_coroutine(result)


def follow(result: R, run: MonitoredRun) -> R:
    """End the run when this result ends. If nobody awaits the result, the run ends as cancelled when the result is dropped.

    Returns:
        A future as it is, for a coroutine another one, for any other awaitable an object with its attributes.
    """
    run.leave()
    try:
        return cast("R", _followed(result, run))
    except Exception:  # noqa: BLE001  # an edge: a foreign awaitable may raise anything, and is the caller's
        warn_once("the end of an awaitable")
        run.end(None)
        return result


async def run_to_end(start: Callable[[], Awaitable[Any]], run: MonitoredRun) -> Any:
    """Await what `start` returns, and end the run with it."""
    try:
        result = await run.measured(start())
    except BaseException as error:
        await run.finish_async(error)
        raise
    if is_under_way(result):
        return follow(result, run)
    await run.finish_async(None)
    return result


def _followed(result: Any, run: MonitoredRun) -> Any:
    if _is_future(result):
        if result.done():
            run.end(_error_of(result))
        else:
            result.add_done_callback(lambda done: run.end(_error_of(done)))
            _end_if_dropped(result, run, _Waiting())
        return result
    waiting = _Waiting()
    is_coroutine = _is_only_coroutine(result)
    followed = _coroutine(result, run, waiting) if is_coroutine else _FollowedObject(result, run, waiting)
    _end_if_dropped(followed, run, waiting)
    return followed


@dataclass(slots=True)
class _Waiting:
    """Whether the result still waits for somebody to await it. After that its own end is that of the run."""

    is_true: bool = True


def _end_if_dropped(result: object, run: MonitoredRun, waiting: _Waiting) -> None:
    def end() -> None:
        if waiting.is_true:
            run.end(asyncio.CancelledError("The awaitable of the job was dropped before it ended."))

    with suppress(TypeError):  # an object without weak references
        weakref.finalize(result, end)


def _coroutine(result: Any, run: MonitoredRun, waiting: _Waiting) -> object:
    coroutine = cast("CoroutineType[Any, Any, Any]", _resume(result, run, waiting))
    coroutine.__name__ = getattr(result, "__name__", coroutine.__name__)
    coroutine.__qualname__ = getattr(result, "__qualname__", coroutine.__qualname__)
    return coroutine


async def _resume(awaitable: Awaitable[Any], run: MonitoredRun, waiting: _Waiting) -> Any:
    waiting.is_true = False
    run.enter()
    return await run_to_end(lambda: awaitable, run)


class _FollowedObject:
    """Stands for an awaitable with a type of its own, which may also be an asynchronous context manager or iterable."""

    def __init__(self, result: Any, run: MonitoredRun, waiting: _Waiting) -> None:
        self._result = result
        self._run = run
        self._waiting = waiting
        self._awaited: Coroutine[Any, Any, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def __await__(self) -> Generator[Any, Any, Any]:
        if self._awaited is not None:  # again: the run has its end
            return cast("Generator[Any, Any, Any]", self._result.__await__())
        return self._coroutine().__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine().send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine().throw(*error)

    def close(self) -> Any:
        """Close the coroutine, or whatever else `close` means to the object."""
        return self._result.close() if self._awaited is None else self._awaited.close()

    async def __aenter__(self) -> Any:
        self._begin()
        try:
            return await self._result.__aenter__()
        except BaseException as error:
            await self._run.finish_async(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Any:
        try:
            is_handled = await self._result.__aexit__(kind, error, trace)
        except BaseException as failure:
            await self._run.finish_async(failure)
            raise
        await self._run.finish_async(None if is_handled else error)
        return is_handled

    async def __aiter__(self) -> AsyncIterator[Any]:
        self._begin()
        try:
            async for item in self._result:
                yield item
        except BaseException as error:
            await self._run.finish_async(error)
            raise
        await self._run.finish_async(None)

    def _begin(self) -> None:
        self._waiting.is_true = False
        self._run.enter()

    def _coroutine(self) -> Coroutine[Any, Any, Any]:
        if self._awaited is None:
            self._awaited = self._resumed()
        return self._awaited

    async def _resumed(self) -> Any:
        """Refers to this object, which `await` drops, until the run has its end."""
        return await _resume(self._result, self._run, self._waiting)


def _is_future(result: object) -> bool:
    kind = type(result)
    return hasattr(kind, "_asyncio_future_blocking") or issubclass(kind, concurrent.futures.Future)


def _is_only_coroutine(result: object) -> bool:
    kind = type(result)
    is_coroutine = all(hasattr(kind, name) for name in ("send", "throw", "close"))
    return is_coroutine and not hasattr(kind, "__aenter__") and not hasattr(kind, "__aiter__")


def _is_generator_coroutine(result: object) -> bool:
    return type(result) is GeneratorType and is_coroutine_code(cast("Any", result).gi_code)


def is_coroutine_code(code: object) -> bool:
    """Whether the code of a generator is that of a coroutine: `types.coroutine` has decorated it."""
    return bool(getattr(code, "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE)


def _error_of(future: Any) -> BaseException | None:
    """Why a future failed. Does not ask `exception()`, after which asyncio no longer reports that nobody retrieved it."""
    if future.cancelled():
        return asyncio.CancelledError()
    error = future._exception if hasattr(future, "_exception") else future.exception()  # noqa: SLF001  # see above
    return cast("BaseException | None", error)
