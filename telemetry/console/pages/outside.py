"""Outside: calls to other services, by service and endpoint, with errors, waits, tokens and money."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from telemetry.console.pages.figures import call_chart, duration_chart, is_failed_call, spark_step
from telemetry.console.pages.live import live_series
from telemetry.console.parts import Part, read_part
from telemetry.console.plots.chart import Chart, wide
from telemetry.console.view import View
from telemetry.recent.point_queries import PointQueries
from telemetry.recent.points.plotted import CALL_DURATIONS, CALLS, TOKENS

WAITS: Final = "external_api_wait_seconds_total"
COST: Final = "openai_cost_usd_total"
LIMITED_UNTIL: Final = "rate_limited_until_timestamp_seconds"
"""An application's own metrics. One that has them under these names sees them here."""
MAX_ROWS: Final = 200
_ENDPOINT: Final = ("service", "endpoint")


@dataclass(slots=True)
class CallRow:
    """The calls of an endpoint in the window.

    Attributes:
        errors: how many calls failed, by kind: a status from 400 on, `timeout`, or `error` without a response.
        course: calls per second over time, for a sparkline.
    """

    service: str
    endpoint: str
    calls: float = 0.0
    errors: dict[str, float] = field(default_factory=dict)
    course: Sequence[float | None] = ()

    @property
    def failed(self) -> float:
        return sum(self.errors.values())


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service in the window.

    Attributes:
        percentiles: of the calls' durations in seconds: 50, 95, 99.
        waits: the seconds that calls have waited, by reason, such as `pace` and `backoff`.
        limited_until: until when it wants no calls, in Unix seconds; None if calls are allowed now.
    """

    service: str
    calls: float
    percentiles: tuple[float | None, ...]
    waits: Mapping[str, float]
    limited_until: float | None = None


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the window: its tokens by type, and the US dollars spent, if its prices are known."""

    model: str
    tokens: Mapping[str, float]
    cost: float | None


@dataclass(frozen=True, slots=True)
class Outside:
    services: Sequence[ServiceRow] = ()
    endpoints: Sequence[CallRow] = ()
    total: int = 0
    models: Sequence[ModelRow] = ()
    charts: Sequence[Chart] = ()


def read(view: View) -> dict[str, Any]:
    part: Part[Outside] = read_part("Figures", lambda: _read(view), Outside())
    reasons = sorted({reason for row in part.value.services for reason in row.waits})
    return {"outside": part, "reasons": reasons, "most": MAX_ROWS}


def _read(view: View) -> Outside:
    queries = view.telemetry.recent.points
    rows = _endpoints(view, queries)
    return Outside(_services(view, queries), rows[:MAX_ROWS], len(rows), _models(view, queries), _charts(view, queries))


def _endpoints(view: View, queries: PointQueries) -> list[CallRow]:
    """The endpoints, those with the most errors first."""
    rows: dict[tuple[str, str], CallRow] = {}
    for total in queries.totals(CALLS, view.since, view.now, by=(*_ENDPOINT, "status")):
        service, endpoint, status = total.labels.values()
        row = rows.setdefault((service, endpoint), CallRow(service, endpoint))
        row.calls += total.value
        if is_failed_call(status):
            row.errors[status] = row.errors.get(status, 0) + total.value
    for points in queries.over_time(CALLS, view.since, view.now, spark_step(view), by=_ENDPOINT):
        service, endpoint = points.labels.values()
        if (service, endpoint) in rows:
            rows[service, endpoint].course = points.rates
    return sorted(rows.values(), key=lambda row: (-row.failed, -row.calls))


def _services(view: View, queries: PointQueries) -> list[ServiceRow]:
    waits: dict[str, dict[str, float]] = {}
    for total in queries.totals(WAITS, view.since, view.now, by=("service", "reason")):
        waits.setdefault(total.labels["service"], {})[total.labels["reason"]] = total.value
    limited = _limited(view)
    durations = queries.totals(CALL_DURATIONS, view.since, view.now, by=("service",), has_buckets=True)
    called = {total.labels["service"]: total for total in durations}
    return [
        ServiceRow(
            service,
            called[service].value if service in called else 0.0,
            tuple(called[service].percentiles()) if service in called else (None, None, None),
            waits.get(service, {}),
            limited.get(service),
        )
        for service in sorted({*called, *waits, *limited})
    ]


def _limited(view: View) -> dict[str, float]:
    """The services that want no calls now, and until when."""
    found = live_series(view.telemetry.metrics.membership.collect(), LIMITED_UNTIL)
    return {each.labels.get("service", ""): each.value for each in found if each.value > view.now}


def _models(view: View, queries: PointQueries) -> list[ModelRow]:
    tokens: dict[str, dict[str, float]] = {}
    for total in queries.totals(TOKENS, view.since, view.now, by=("gen_ai_request_model", "gen_ai_token_type")):
        model, kind = total.labels.values()
        tokens.setdefault(model, {})[kind] = total.sum
    cost = {total.labels["model"]: total.value for total in queries.totals(COST, view.since, view.now, by=("model",))}
    return [ModelRow(model, tokens.get(model, {}), cost.get(model)) for model in sorted({*tokens, *cost})]


def _charts(view: View, queries: PointQueries) -> list[Chart]:
    durations = queries.percentiles_over_time(CALL_DURATIONS, view.since, view.now, view.window.step)
    calls = call_chart(view, "Calls by service", queries)
    return wide((calls, duration_chart(view, "Latency of calls", durations)))
