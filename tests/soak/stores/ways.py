"""The two ways of a metric into Prometheus: scraped from the page, and sent by OTLP through the Collector."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from tests.soak.stores.traffic import Answer
from tests.support.deployed_prometheus import DeployedPrometheus, Series

SCRAPED: Final = 'job="sovani-api"'
SENT: Final = 'job="sovani/sovani"'
_PAIRS: Final = {
    "http_requests_total": "http_server_request_duration_seconds_count",
    "http_request_duration_seconds": "http_server_request_duration_seconds",
    "db_query_duration_seconds": "db_client_operation_duration_seconds",
    "process_cpu_seconds_total": "process_cpu_time_seconds_total",
    "python_gc_collections_total": "cpython_gc_collections_total",
    "scheduler_jobs_total": "job_runs_total",
    "scheduler_runs_lost_total": "job_runs_lost_total",
    "http_connections_refused_total": "http_server_connections_refused_total",
}
"""The name on the page, and that of OpenTelemetry; a histogram's without what is behind it. Others have one name for both ways."""
_HISTOGRAM: Final = ("_bucket", "_count", "_sum")


def counters(names: Iterable[str]) -> list[str]:
    """Those that may not fall. A name like `pool_connection_count` is a counter's only where there are buckets."""
    found = {name for name in names if ":" not in name}
    return sorted(
        name
        for name in found
        if name.endswith(("_total", "_bucket"))
        or any(name.endswith(end) and f"{name.removesuffix(end)}_bucket" in found for end in _HISTOGRAM)
    )


def sent_name(scraped: str) -> str:
    stem, end = next(((scraped.removesuffix(end), end) for end in _HISTOGRAM if scraped.endswith(end)), (scraped, ""))
    return f"{_PAIRS.get(stem, stem)}{end}"


def falls(series: Series) -> Iterator[tuple[float, float]]:
    """Between which moments it fell."""
    for (before, high), (after, low) in pairwise(series.samples):
        if low < high:
            yield before, after


def gaps(series: Series) -> Iterator[tuple[float, float]]:
    for (before, _), (after, _) in pairwise(series.samples):
        yield before, after


def increase(series: Series, starts: Sequence[float] = ()) -> float:
    """Since it began, at zero. After a fall, and at each of the service's starts, it has begun again.

    Where Prometheus was away until a counter was higher than before the start, there is no fall to be seen.
    """
    total, last, before = 0.0, 0.0, -math.inf
    for moment, value in series.samples:
        if value < last or any(before < start <= moment for start in starts):
            last = 0.0
        total += value - last
        before, last = moment, value
    return total


def at(series: Series, since: float, moment: float) -> float:
    """The newest value at a moment, of those since another one."""
    return next((value for when, value in reversed(series.samples) if since <= when <= moment), 0.0)


def answers_scraped(store: DeployedPrometheus, seconds: float, starts: Sequence[float]) -> Counter[Answer]:
    return _answers(store.series(f"http_requests_total{{{SCRAPED}}}", seconds), starts, "endpoint", "status")


def answers_sent(store: DeployedPrometheus, seconds: float, starts: Sequence[float]) -> Counter[Answer]:
    name = f"http_server_request_duration_seconds_count{{{SENT}}}"
    return _answers(store.series(name, seconds), starts, "http_route", "http_response_status_code")


def _answers(found: Iterable[Series], starts: Sequence[float], route: str, status: str) -> Counter[Answer]:
    answers = Counter[Answer]()
    for each in found:
        what = each.labels.get(route, "unmatched"), each.labels.get(status, "error")
        answers[what] += round(increase(each, starts))
    return answers
