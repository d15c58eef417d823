"""The CPU time of a single call on an instrument or a tracer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

from opentelemetry.metrics import Meter
from prometheus_client import CollectorRegistry, Counter, Histogram

from bench.contenders import meter_provider, tracer_provider
from bench.progress import say
from bench.quartile import lower_quartile
from bench.subprocess_runner import SubprocessGroup
from bench.table import Table
from telemetry import semconv
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider
from telemetry.metrics.views import BUCKETS
from telemetry.sdk.sampler import JobSampler

ROUNDS, QUICK_ROUNDS = 10, 4
_CALLS = 5000
_ATTRIBUTES: dict[str, str | int] = {
    semconv.HTTP_METHOD: "GET",
    semconv.URL_SCHEME: "http",
    semconv.HTTP_ROUTE: "/items/{item_id}",
    semconv.HTTP_STATUS_CODE: 200,
}

Call = Callable[[], object]


def tables(_directory: Path, *, quick: bool) -> Iterator[Table]:
    number = QUICK_ROUNDS if quick else ROUNDS
    table = Table("One record: CPU µs for a call", ["", "µs"], f"{len(_ATTRIBUTES)} attributes on each")
    with SubprocessGroup({name: (caller, make) for name, make in CALLS.items()}) as group:
        rounds = []
        for i, results in enumerate(group.rounds(number, _CALLS), 1):
            say("records", f"round {i} of {number}")
            rounds.append(results)
    for name in group.names:
        if name in group.errors:
            table.fail(name, group.errors[name])
        else:
            table.add(name, f"{lower_quartile(results[name] for results in rounds):.2f}")
    yield table


def caller(make: Callable[[], Call]) -> Callable[[int], float]:
    call = make()

    def measure(calls: int) -> float:
        started = process_time()
        for _ in range(calls):
            call()
        return (process_time() - started) / calls * 1e6

    return measure


def _otel_meter() -> Meter:
    return meter_provider().get_meter("bench")


def _our_meter() -> Meter:
    return LimitedMeterProvider(meter_provider()).get_meter("bench")


def client_counter() -> Call:
    counter = _client_counter()
    return lambda: counter.labels("GET", "http", "/items/{item_id}", "200").inc()


def client_counter_child() -> Call:
    return _client_counter().labels("GET", "http", "/items/{item_id}", "200").inc


def _client_counter() -> Counter:
    return Counter("work", "Work.", ["method", "scheme", "route", "status"], registry=CollectorRegistry())


def client_histogram_child() -> Call:
    histogram = Histogram(
        "work",
        "Work.",
        ["method", "scheme", "route", "status"],
        buckets=BUCKETS[semconv.HTTP_SERVER_DURATION],
        registry=CollectorRegistry(),
    )
    child = histogram.labels("GET", "http", "/items/{item_id}", "200")
    return lambda: child.observe(0.02)


def otel_counter() -> Call:
    counter = _otel_meter().create_counter("work")
    return lambda: counter.add(1, _ATTRIBUTES)


def our_counter() -> Call:
    counter = _our_meter().create_counter("work")
    return lambda: counter.add(1, _ATTRIBUTES)


def otel_histogram() -> Call:
    histogram = _otel_meter().create_histogram(semconv.HTTP_SERVER_DURATION)
    return lambda: histogram.record(0.02, _ATTRIBUTES)


def our_histogram() -> Call:
    histogram = _our_meter().create_histogram(semconv.HTTP_SERVER_DURATION)
    return lambda: histogram.record(0.02, _ATTRIBUTES)


def span_dropped() -> Call:
    return _span(0.0)


def span_sampled() -> Call:
    return _span(1.0)


def _span(share: float) -> Call:
    provider = tracer_provider(share)
    provider.sampler = JobSampler(provider.sampler)
    tracer = provider.get_tracer("bench")
    return lambda: tracer.start_span("GET", attributes=_ATTRIBUTES).end()


CALLS: dict[str, Callable[[], Call]] = {
    "prometheus_client: counter.labels(…).inc()": client_counter,
    "prometheus_client: a counter's child, inc()": client_counter_child,
    "prometheus_client: a histogram's child, observe()": client_histogram_child,
    "OpenTelemetry: counter.add()": otel_counter,
    "this project: the same, its label sets limited": our_counter,
    "OpenTelemetry: histogram.record()": otel_histogram,
    "this project: that, its label sets limited": our_histogram,
    "a span that is sampled out": span_dropped,
    "a span that is sampled, ended and exported to nowhere": span_sampled,
}
