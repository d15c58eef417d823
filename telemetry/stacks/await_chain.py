"""The await chain of a suspended task: from its coroutine to the innermost one, into the tasks and threads that this awaits.

`Task.get_stack` gives one frame for a suspended coroutine. Objects that hide what they await, such as the iterator of a
future, are asked by `gc.get_referents`, which has no side effects: reading `f_locals` would keep the locals alive.
"""

import asyncio
import functools
import gc
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CellType, CodeType, GeneratorType
from typing import Any, Final, TypeAlias

from telemetry.json_safe import to_text
from telemetry.stacks.stack_frames import Frames, stack_frame

if sys.version_info < (3, 12):
    from asyncio.events import _get_running_loop
    from asyncio.tasks import _current_tasks  # type: ignore[attr-defined]

AnyTask: TypeAlias = asyncio.Task[Any]
_MAX_STEPS: Final = 2000
_MAX_ITEMS: Final = 10_000
_MAX_TASKS: Final = 20
_GROUP_MODULES: Final = ("asyncio.", "anyio.")
_MAX_SEARCHED: Final = 200
_CONTAINERS: Final = (set, frozenset, list, tuple, dict)
_KINDS: Final = (("cr_frame", "cr_await"), ("ag_frame", "ag_await"), ("gi_frame", "gi_yieldfrom"))
_STEPS_OF_COROUTINE: Final = "coroutine_wrapper"
"""The type of what `__await__` of a coroutine returns."""
_OPAQUE: Final = frozenset(
    {"FutureIter", "async_generator_asend", "async_generator_athrow", _STEPS_OF_COROUTINE, "anext_awaitable"}
)
_CHAINED: Final = "_chain_future"
"""Part of the name of the callback by which a future waits for one of `concurrent.futures`."""


@dataclass(slots=True)
class AwaitChain:
    """The frames of a task, and what the innermost of them waits for.

    Attributes:
        tasks: the task, then those that it awaits, one after the other.
        threads: the threads that the innermost coroutine has handed its work to, if it holds them, as anyio's does.
        functions: the code of the functions that the innermost coroutine holds.
        awaits_executor: whether it waits for a thread of an executor.
    """

    frames: Frames = field(default_factory=list)
    tasks: list[AnyTask] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    functions: set[CodeType] = field(default_factory=set)
    awaits_executor: bool = False


if sys.version_info >= (3, 12):

    def running_task() -> AnyTask | None:
        """The task that this thread executes; None without one, or on another event loop than asyncio's."""
        try:
            return asyncio.current_task()
        except RuntimeError:
            return None

else:

    def running_task() -> AnyTask | None:
        """Likewise. `asyncio.current_task` takes four times as long there, and each request calls this."""
        task: AnyTask | None = _current_tasks.get(_get_running_loop())
        return task


def await_chain(task: AnyTask) -> AwaitChain:
    """The chain of a task as it is now; its loop may go on meanwhile."""
    chain, following = AwaitChain(), task
    while following not in chain.tasks and len(chain.tasks) < _MAX_TASKS:
        chain.tasks.append(following)
        coroutines, awaited = _walk(following.get_coro(), chain.frames)
        following = _next_task(coroutines, awaited, chain) or following
    return chain


def _walk(awaitable: Any, frames: Frames) -> tuple[list[Any], Any]:
    """Add the frames. Returns the coroutines, the outermost first, and what the innermost awaits."""
    coroutines: list[Any] = []
    for _ in range(_MAX_STEPS):
        if (names := _names(awaitable)) is not None:
            coroutines.append(awaitable)
            if (frame := getattr(awaitable, names[0])) is not None:
                frames.append(stack_frame(frame))
            awaitable = getattr(awaitable, names[1]) or _driven(awaitable)
        elif type(awaitable).__name__ in _OPAQUE:
            awaitable = next(iter(_hidden(awaitable)), None)
        else:
            break
    return coroutines, awaitable


def _driven(awaitable: Any) -> Any:
    """The coroutine that a generator takes step by step itself, as `telemetry.costs` does to measure each."""
    if type(awaitable) is not GeneratorType:
        return None
    return next((each for each in gc.get_referents(awaitable) if type(each).__name__ == _STEPS_OF_COROUTINE), None)


def _names(awaitable: Any) -> tuple[str, str] | None:
    """Of what kind it is. Asked of its class, since an object may run code of its own when it is asked."""
    return next((names for names in _KINDS if hasattr(type(awaitable), names[0])), None)


def _hidden(awaitable: Any) -> Iterator[Any]:
    for each in gc.get_referents(awaitable):
        if _names(each) is not None or asyncio.isfuture(each) or type(each).__name__ in _OPAQUE:
            yield each


def _next_task(coroutines: list[Any], awaited: Any, chain: AwaitChain) -> AnyTask | None:
    """The task that is awaited: directly, by `gather`, or by a function of a library that holds it, as `wait` does."""
    if isinstance(awaited, asyncio.Task):
        return awaited
    is_future = isinstance(awaited, asyncio.Future)
    found = [*_tasks_in(getattr(awaited, "_children", None) if is_future else None), *_held(coroutines, chain)]
    callbacks = (getattr(awaited, "_callbacks", None) if is_future else None) or ()
    chain.awaits_executor = any(_CHAINED in getattr(each[0], "__qualname__", "") for each in callbacks)
    if not found and not (chain.threads or chain.functions or chain.awaits_executor):
        found = _grouped(coroutines)
    return min(found, key=task_order, default=None)


def _grouped(coroutines: list[Any]) -> list[AnyTask]:
    """The tasks of the innermost group that the coroutines of a task hold, as a middleware of Starlette does."""
    for coroutine in reversed(coroutines[-_MAX_SEARCHED:]):
        groups = [each for each in _referents(coroutine) if _is_group(each)]
        if found := [task for each in groups for task in _tasks_in(each._tasks)]:  # noqa: SLF001
            return found
    return []


def _referents(coroutine: Any) -> list[Any]:
    """What its variables refer to, also those that it shares with functions inside it."""
    direct = gc.get_referents(coroutine)
    cells = [each for each in direct if isinstance(each, CellType)]
    return direct + [each for cell in cells for each in gc.get_referents(cell)]


def _is_group(value: object) -> bool:
    return type(value).__name__ == "TaskGroup" and type(value).__module__.startswith(_GROUP_MODULES)


def _held(coroutines: list[Any], chain: AwaitChain) -> list[AnyTask]:
    """The tasks that the innermost coroutine holds, if it is a library's. Notes the threads and functions that it holds."""
    if not coroutines or not chain.frames or chain.frames[-1].owner != "library":
        return []
    found: list[AnyTask] = []
    for each in _referents(coroutines[-1]):
        if isinstance(each, threading.Thread):
            chain.threads.append(each)
        elif (code := _code(each)) is not None:
            chain.functions |= {code} - {chain.frames[-1].code}  # a coroutine holds its own function as well
        else:
            held = each._tasks if _is_group(each) else each if isinstance(each, _CONTAINERS) else (each,)  # noqa: SLF001
            found += _tasks_in(held)
    return found


def _code(value: object) -> CodeType | None:
    """The code of a function, also inside `functools.partial`."""
    for _ in range(3):
        if not isinstance(value, functools.partial):
            break
        is_run = getattr(value.func, "__name__", "") == "run" and value.args  # `Context.run` in `asyncio.to_thread`
        value = value.args[0] if is_run else value.func
    value = getattr(value, "__func__", value)
    code = getattr(value, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _tasks_in(values: object) -> list[AnyTask]:
    if not isinstance(values, _CONTAINERS) or len(values) > _MAX_ITEMS:
        return []
    return [each for each in tuple(values) if isinstance(each, asyncio.Task) and not each.done()]


def task_order(task: AnyTask) -> tuple[int, str]:
    """Tasks are numbered in the order in which they were made, unless they have names of their own."""
    name = to_text(task.get_name())
    number = name.removeprefix("Task-")
    return (int(number) if number.isascii() and number.isdigit() and len(number) < 20 else 0, name)  # noqa: PLR2004
