"""The tasks of the event loop that runs in a thread, as another thread finds them."""

import asyncio
from asyncio import tasks as asyncio_tasks
from collections.abc import Iterable
from typing import Any, Final

from telemetry.stacks.await_chain import AnyTask, task_order
from telemetry.stacks.stack_frames import Frames

_ATTEMPTS: Final = 100
_SETS: Final = ("_scheduled_tasks", "_eager_tasks", "_all_tasks")
"""Where asyncio keeps all tasks: the first two from Python 3.12 on."""
_IDLE_FILES: Final = ("selectors.py", "runners.py", "base_events.py")
_SERVERS: Final = ("uvloop", "uvicorn")
_RUNNERS: Final = ("runners.py", "uvloop/__init__.py")
_THREAD: Final = "_thread_id"
_RUN_UNTIL_COMPLETE: Final = "run_until_complete"


def loops_of_thread(thread_id: int, frames: Frames) -> list[asyncio.AbstractEventLoop]:
    """The running loops of a thread that executes these frames. uvloop does not say where it runs: its callers do."""
    loops = [loop for loop in {each.get_loop() for each in _all_tasks()} if loop.is_running()]
    if found := [loop for loop in loops if getattr(loop, _THREAD, None) == thread_id]:
        return found
    may_be = any(frame.code.co_filename.endswith(_RUNNERS) for frame in frames)
    return [loop for loop in loops if may_be and not hasattr(loop, _THREAD)]


def tasks_of_loop(loop: asyncio.AbstractEventLoop) -> list[AnyTask]:
    """Those that are not done, the oldest first."""
    return sorted((each for each in _all_tasks() if each.get_loop() is loop and not each.done()), key=task_order)


def main_task(tasks: list[AnyTask]) -> AnyTask | None:
    """The task that the loop was started for; else the oldest."""
    main = (each for each in tasks if any(_ends_loop(callback) for callback in getattr(each, "_callbacks", None) or ()))
    return next(main, next(iter(tasks), None))


def current_task(loop: asyncio.AbstractEventLoop) -> AnyTask | None:
    """The task that is being executed; None while the loop waits."""
    return asyncio.current_task(loop)


def _ends_loop(callback: tuple[Any, ...]) -> bool:
    return _RUN_UNTIL_COMPLETE in getattr(callback[0], "__qualname__", "")


def _all_tasks() -> list[AnyTask]:
    return [each for name in _SETS for each in _copy(getattr(asyncio_tasks, name, ()))]


def _copy(tasks: Iterable[AnyTask]) -> list[AnyTask]:
    """As `asyncio.all_tasks` does: other threads may change the set meanwhile."""
    for _ in range(_ATTEMPTS):
        try:
            return list(tasks)
        except RuntimeError:  # it changed during the iteration
            continue
    return []


def is_idle(loop: asyncio.AbstractEventLoop, frames: Frames) -> bool:
    """Whether a loop, whose thread executes these frames, waits for events: it runs neither a task nor a callback."""
    if current_task(loop) is not None:
        return False
    innermost = frames[-1].code.co_filename if frames else ""
    return innermost.endswith(_IDLE_FILES) or any(name in innermost for name in _SERVERS)
