"""An awaitable whose steps are measured: between two of them the event loop works for others."""

from collections.abc import Coroutine, Generator
from time import thread_time
from typing import Any

from telemetry.costs.account import MEASURED, CpuAccount, this_thread


class MeasuredSteps(CpuAccount, Coroutine[Any, Any, Any]):
    """A coroutine that is its own account. `cr_await` and `cr_frame` are those of the one inside, for who walks a stack."""

    __slots__ = ("_coroutine", "_send")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.seconds = self.charged_usd = 0.0
        self.is_whole = True
        self._total = None
        self._coroutine = coroutine
        self._send = coroutine.send

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
            return self._send(None)
        finally:
            now = thread_time()
            seconds = now - charge.since
            charge.account, charge.since = outer, now
            self.seconds += seconds
            MEASURED.cpu_seconds += seconds
            if self._total is not None:
                self._total.cpu_seconds += seconds

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._coroutine.throw, *error)

    def close(self) -> None:
        self._step(self._coroutine.close)

    def _step(self, function: Any, *values: Any) -> Any:
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
    def cr_frame(self) -> Any:
        return getattr(self._coroutine, "cr_frame", None)

    @property
    def cr_await(self) -> Any:
        return getattr(self._coroutine, "cr_await", None)

    @property
    def cr_code(self) -> Any:
        return getattr(self._coroutine, "cr_code", None)

    @property
    def cr_running(self) -> bool:
        return bool(getattr(self._coroutine, "cr_running", False))
