"""Why a call was cancelled: by a timeout around it, or for another reason.

Both cancel the task alike. `asyncio.timeout` takes its cancellation back (`Task.uncancel`) when it has reached it, which is seen in
a later turn of the event loop. A scope of anyio names itself in the cancellation, and its deadline was known before.

Before Python 3.12, `asyncio.wait_for` runs the call in a task of its own, and cancels that for good. It waits for a future, which
its timer completes; a cancellation from outside cancels this future, and whoever cancels the inner task leaves it pending. So a
future that is complete while the call still runs means a timeout. It is found by the callback that `wait_for` has on the task.

Tasks that the call starts itself are cancelled alike in both cases, as by `asyncio.gather`: theirs is no timeout.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Decide = Callable[[bool], None]
_NEVER: Final = float("inf")
_MAX_WAITS: Final = 20
_has_own_task: Final = sys.version_info < (3, 12)
_release: Final = getattr(asyncio.tasks, "_release_waiter", object())
_ANYIO: Final = ("Cancelled by cancel scope", "Cancelled via cancel scope")
_WAITS: Final = (0.01, 0.1, 1.0)
"""Seconds between two looks at a task that goes on: what it does on the way to its timeout may take some turns of the loop."""
_MAX_FRAMES: Final = 200


class Deadline(NamedTuple):
    """What may end the running code in time.

    Attributes:
        scopes: when the scopes of anyio around it will cancel it, by the clock of the event loop; infinity for never.
        waits: the futures for which the calls of `asyncio.wait_for` around it wait.
    """

    scopes: float = _NEVER
    waits: "tuple[asyncio.Future[Any], ...]" = ()

    def is_wait_over(self) -> bool:
        """Whether the timer of one of the calls of `asyncio.wait_for` has ended."""
        return any(wait.done() and not wait.cancelled() for wait in self.waits)


def current_deadline() -> Deadline:
    """The deadline of the code that is running now, which may be a part of a call."""
    try:
        task = asyncio.current_task()
        scopes = _NEVER if (anyio := sys.modules.get("anyio")) is None else float(anyio.current_effective_deadline())
        return Deadline(scopes, _waits(task) if _has_own_task else ())
    except Exception:  # noqa: BLE001  # no event loop, or none of asyncio
        return Deadline()


def _waits(task: "asyncio.Task[Any] | None") -> "tuple[asyncio.Future[Any], ...]":
    """The futures of the calls of `wait_for` that wait for a task, or for the task of such a call."""
    found: list[asyncio.Future[Any]] = []
    while task is not None and len(found) < _MAX_WAITS:
        released = [each for each in _callbacks(task) if getattr(each, "func", None) is _release]
        if not released:
            break
        found.append(released[0].args[0])
        owners = (getattr(each, "__self__", None) for each in _callbacks(found[-1]))
        task = next((each for each in owners if isinstance(each, asyncio.Task)), None)
    return tuple(found)


def _callbacks(future: "asyncio.Future[Any]") -> list[Any]:
    """What is called when a future is done; a private name of asyncio, without which there is no `wait_for` to be seen."""
    return [callback for callback, _ in getattr(future, "_callbacks", None) or ()]


def when_known(error: BaseException, deadline: Deadline, decide: Decide) -> None:
    """Call `decide` with whether a cancellation is that of a timeout: at once, or as soon as its task shows it.

    Args:
        error: what was raised in the task that is running now.
        deadline: `current_deadline()` at the beginning of the call.
        decide: is called once, in the event loop of the task.
    """
    try:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if str(error).startswith(_ANYIO):
            decide(deadline.scopes <= loop.time())
        elif deadline.is_wait_over():
            decide(True)
        elif task is None or not task.cancelling() or _is_in_failed_group():
            decide(False)
        else:
            _Watch(task, decide).begin(loop)
    except RuntimeError:  # no event loop, or one that is closed
        decide(False)


class _Watch:
    """Looks at a cancelled task until it has ended, or has its cancellation taken back."""

    def __init__(self, task: "asyncio.Task[Any]", decide: Decide) -> None:
        self._task = task
        self._cancellations = task.cancelling()
        self._decide: Decide | None = decide
        self._waits = iter(_WAITS)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task.add_done_callback(self._end)
        loop.call_soon(self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._decide is None:
            return
        seconds = next(self._waits, None)
        if self._is_taken_back() or seconds is None:
            self._task.remove_done_callback(self._end)
            self._end(self._task)
        else:
            loop.call_later(seconds, self._look, loop)

    def _is_taken_back(self) -> bool:
        return self._task.cancelling() < self._cancellations

    def _end(self, _task: "asyncio.Task[Any]") -> None:
        decide, self._decide = self._decide, None
        if decide is not None:
            decide(self._is_taken_back())


def _is_in_failed_group() -> bool:
    """Whether the running code is in the block of an `asyncio.TaskGroup` that ends since one of its tasks has failed.

    It takes its cancellation back, too. It is found by the variable that the block has it in.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # as `inspect.currentframe`
    for _ in range(_MAX_FRAMES):
        if any(_has_cancelled(value) for value in frame.f_locals.values()):
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


def _has_cancelled(value: object) -> bool:
    return isinstance(value, asyncio.TaskGroup) and bool(getattr(value, "_parent_cancel_requested", False))
