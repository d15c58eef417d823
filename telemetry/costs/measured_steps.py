"""An awaitable whose steps are measured: between two of them the event loop works for others."""

from collections.abc import Coroutine, Generator
from time import thread_time
from typing import Any

from telemetry.costs.account import PENDING, CpuAccount, this_thread


class MeasuredSteps(CpuAccount, Coroutine[Any, Any, Any]):
    """A coroutine that is its own account. `cr_await` and `cr_frame` are those of the one inside, for who walks a stack."""

    __slots__ = ("_step",)

    def __init__(self) -> None:
        super().__init__(PENDING)

    def measure(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """The coroutine inside; to be called before anything else."""
        self._step = coroutine.send

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def __iter__(self) -> "MeasuredSteps":
        return self

    def __next__(self) -> Any:
        charge = this_thread.charge
        outer, now = charge.account, thread_time()
        if outer is not None:
            outer.add(now - charge.since)
        charge.account, charge.since = self, now
        try:
            return self._step(None)
        finally:
            now = thread_time()
            seconds = now - charge.since
            charge.account, charge.since = outer, now
            self.seconds += seconds
            self._total.cpu_seconds += seconds

    def send(self, value: Any) -> Any:
        return self._measured(self._step, value)

    def throw(self, *error: Any) -> Any:
        return self._measured(self._inside.throw, *error)

    def close(self) -> None:
        self._measured(self._inside.close)

    def _measured(self, function: Any, *values: Any) -> Any:
        """As `__next__`, where a few calls more do not matter."""
        charge = this_thread.charge
        outer, now = charge.account, thread_time()
        if outer is not None:
            outer.add(now - charge.since)
        charge.account, charge.since = self, now
        try:
            return function(*values)
        finally:
            now = thread_time()
            self.add(now - charge.since)
            charge.account, charge.since = outer, now

    @property
    def _inside(self) -> Any:
        return getattr(self._step, "__self__", None)

    @property
    def cr_frame(self) -> Any:
        return getattr(self._inside, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        return getattr(self._inside, "cr_await", None)

    @property
    def cr_code(self) -> Any:
        return getattr(self._inside, "cr_code", None)

    @property
    def cr_running(self) -> bool:
        return bool(getattr(self._inside, "cr_running", False))
