"""A coroutine whose steps are measured: between two of them the event loop works for others."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from inspect import CO_COROUTINE
from time import thread_time
from types import FunctionType, coroutine
from typing import Any, Final, cast

from telemetry.costs.account import CpuAccount, ThreadCharge, this_thread

ENDED: Final = object()
"""What `next` is to return for a coroutine that has ended."""
Steps = Generator[Any, Any, Any]
"""What `__await__` of a coroutine returns."""


class StepAccount(CpuAccount):
    """The account of a coroutine. `enter` and `leave` are called in turn, at both ends of each step.

    Attributes:
        outer: to which account this thread was charged before the step, and is again after it.
        thread_charge: that of the thread of the step.
    """

    __slots__ = ("outer", "thread_charge")

    outer: CpuAccount | None
    thread_charge: ThreadCharge

    def enter(self) -> None:
        self.thread_charge = charge = this_thread.charge
        self.outer = outer = charge.account
        now = thread_time()
        if outer is not None:
            outer.add(now - charge.since)
        charge.account, charge.since = self, now

    def leave(self) -> None:
        charge, now = self.thread_charge, thread_time()
        seconds = now - charge.since
        charge.account, charge.since = self.outer, now
        self.seconds += seconds
        self.total.cpu_seconds += seconds


@coroutine
def measured_steps(account: StepAccount, inner: Coroutine[Any, Any, Any]) -> Steps:
    """The coroutine, charged to the account."""
    steps = inner.__await__()
    account.enter()
    try:
        awaited = steps.send(None)
        return (yield from further_steps(account, steps, awaited))
    except StopIteration as end:
        return end.value
    finally:
        account.leave()


@coroutine
def further_steps(account: StepAccount, steps: Steps, awaited: Any) -> Steps:
    """All steps but the first one, at whose end the coroutine awaits something. Begins and ends within a step."""
    send, enter, leave = steps.send, account.enter, account.leave
    sent, error = None, None
    while True:
        leave()
        try:
            sent = yield awaited
        except BaseException as thrown:  # noqa: BLE001  # what an event loop throws is the coroutine's
            error = thrown
        enter()
        try:
            awaited = send(sent) if error is None else _throw(steps, error)
        except StopIteration as end:
            return end.value
        finally:
            error = None  # it refers to this frame


def as_coroutine_function(function: Callable[..., Awaitable[Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The same function if it returns coroutines; else around it one that does: other awaitables may have other steps."""
    called = function if isinstance(function, FunctionType) else getattr(type(function), "__call__", None)  # noqa: B004
    if getattr(getattr(called, "__code__", None), "co_flags", 0) & CO_COROUTINE:
        return cast("Callable[..., Coroutine[Any, Any, Any]]", function)

    async def call(*arguments: Any) -> Any:
        return await function(*arguments)

    return call


def _throw(steps: Steps, error: BaseException) -> Any:
    try:
        if isinstance(error, GeneratorExit):
            steps.close()
            raise error
        return steps.throw(error)
    finally:
        del error  # its traceback refers to this frame
