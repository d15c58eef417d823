"""The metrics of costs: the CPU seconds of each job and route, and what everything cost. Read when a page is made."""

from collections.abc import Iterable

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.costs.cost_ledger import LEDGER, CostLedger
from telemetry.costs.prices import Prices


def observe_costs(meter: Meter, prices: Prices, ledger: CostLedger = LEDGER) -> None:
    """Without a price a resource has no cost: no series of `cost` exists for it."""

    def cpu(_options: CallbackOptions) -> Iterable[Observation]:
        for (kind, name), seconds in ledger.cpu_seconds().items():
            yield Observation(seconds, {semconv.KIND: kind, semconv.NAME: name})

    def cost(_options: CallbackOptions) -> Iterable[Observation]:
        for (resource, kind, name), amount in ledger.usage().items():
            if (usd := prices.usd(resource, amount)) is not None:
                yield Observation(usd, {semconv.RESOURCE: resource, semconv.KIND: kind, semconv.NAME: name})

    meter.create_observable_counter(
        semconv.COST_CPU_TIME, [cpu], "s", "CPU time of jobs and routes, and the rest as idle time."
    )
    meter.create_observable_counter(semconv.COST, [cost], "USD", "US dollars by resource, and by job or route.")
