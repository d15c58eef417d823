"""Writes the costs of this process every few seconds, and once more at its end; also looks at the budget."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Thread
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy.engine import Engine

from service.jobs.costs.budget import Budget
from service.jobs.costs.cost_writer import WRITE_INTERVAL, CostWriter
from service.jobs.costs.stores import stores
from service.settings import Settings
from telemetry.costs import LEDGER
from telemetry.periodic import PeriodicTask

LAST_WRITE_TIMEOUT: Final = 2.0
BUDGET_INTERVAL: Final = timedelta(minutes=10)


class CostTask:
    """`now` is the time by the database's clock."""

    def __init__(
        self, settings: Settings, engine: Engine, now: Callable[[], datetime], is_running: Callable[[], bool]
    ) -> None:
        self._now = now
        self._writer = CostWriter(engine, LEDGER, settings.prices, stores(settings, engine), now)
        self._budget = Budget(engine, settings.prices, settings.cost_budget_month_usd)
        self._task = PeriodicTask(self._step, WRITE_INTERVAL.total_seconds(), "Writing the costs", is_running)
        self._next_budget: datetime | None = None
        self._is_started = False

    def start(self) -> None:
        self._is_started = True
        self._task.start()

    def stop(self) -> None:
        """Write what is not written yet, if the database takes it soon."""
        self._task.stop()
        if self._is_started:
            last = Thread(target=self._write_last, name="last-costs", daemon=True)
            last.start()
            last.join(LAST_WRITE_TIMEOUT)

    @contextmanager
    def written(self) -> Generator[None]:
        """For a process that does one thing: write its costs while the block runs, and once more at its end."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def _step(self) -> None:
        with suppress_instrumentation():
            self._writer.write()
            now = self._now()
            if self._next_budget is None or not now < self._next_budget <= now + BUDGET_INTERVAL:
                self._budget.check(now)
                self._next_budget = now + BUDGET_INTERVAL

    def _write_last(self) -> None:
        self._task.run_once()
