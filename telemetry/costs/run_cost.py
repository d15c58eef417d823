"""What one run of a job costs. Every step is fail-safe: an error in it never reaches the job."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

from telemetry.costs.account import CpuAccount, CpuSlice, settle
from telemetry.costs.cost_ledger import JOB, LEDGER
from telemetry.costs.measured_steps import StepAccount, measured_steps
from telemetry.costs.prices import Prices
from telemetry.failsafe import failsafe


class RunCost:
    """A block is measured in its thread, and in those that it hands work to; a coroutine function, step by step.

    A block in a coroutine is not measured: while it waits, its thread works for others.
    """

    def __init__(self, job_name: str) -> None:
        self._total = LEDGER.total(JOB, job_name)
        self._account = CpuAccount(self._total)
        self._slice: CpuSlice | None = None
        self._is_measured = False

    @failsafe
    def start(self) -> None:
        if not _is_in_task():
            self._slice, self._is_measured = CpuSlice(self._account), True
            self._slice.__enter__()

    @failsafe
    def stop(self) -> None:
        """End the block in this thread. More than once is harmless."""
        ending, self._slice = self._slice, None
        if ending is not None:
            ending.__exit__()

    def steps(self, coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
        """The coroutine of the job, measured."""
        account = StepAccount()
        account.seconds, account.charged_usd = self._account.seconds, self._account.charged_usd
        account.continue_with(self._total)
        self._account, self._is_measured = account, True
        return measured_steps(account, coroutine)

    def cpu_seconds(self) -> float | None:
        """None if it was not measured as a whole."""
        settle()
        return round(self._account.seconds, 6) if self._is_measured and self._account.is_whole else None

    def usd(self, prices: Prices) -> float | None:
        return prices.of_run(self.cpu_seconds(), self._account.charged_usd)


def _is_in_task() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:  # no event loop is running
        return False
