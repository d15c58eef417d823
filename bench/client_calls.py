"""The CPU time of a query of SQLite and of a call out with httpx, over those without instrumentation; no network is in between."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import httpcore
import httpx
import sqlalchemy
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import text

from bench.contenders import meter_provider, tracer_provider
from bench.progress import say
from bench.quartile import lower_quartile
from bench.subprocess_runner import SubprocessGroup
from bench.table import NOT_MEASURED, Table
from telemetry.instrumentation.external_services import ExternalService, ServiceDirectory
from telemetry.instrumentation.libraries import Providers, instrument_libraries
from telemetry.instruments import Instruments
from telemetry.metrics.measuring.cardinality import LimitedMeterProvider

ROUNDS, QUICK_ROUNDS = 25, 10
_CALLS = 200
_WARM_UP = 400
_BARE = "bare"
_URL = "http://service.example/v1/orders/17?limit=5"
_STATEMENT = text("SELECT id FROM orders WHERE id = :id")
_SERVICES = ServiceDirectory([ExternalService("service", "http://service.example", ("/v1/orders/{id}",))])


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    for what in ("query", "call"):
        table = Table(f"A {_WORKS[what][0]}", ["", "CPU µs", "over bare", "ratio"])
        with SubprocessGroup({name: (driver, name, what, directory) for name in _CONTENDERS}) as group:
            for name in group.names:
                group.call(name, _WARM_UP)
            rounds = []
            for number, results in enumerate(group.rounds(QUICK_ROUNDS if quick else ROUNDS, _CALLS), 1):
                say(f"calls: {what}", f"round {number}")
                rounds.append(results)
        for name in _CONTENDERS:
            if name in group.errors:
                table.fail(name, group.errors[name])
            else:
                cost, bare = (lower_quartile(each[which] for each in rounds) for which in (name, _BARE))
                table.add(
                    name, f"{cost:.1f}", f"{cost - bare:+.1f}" if name != _BARE else NOT_MEASURED, f"{cost / bare:.2f}"
                )
        yield table


def driver(name: str, what: str, _directory: Path) -> Callable[[int], float]:
    """Returns a function that makes so many calls and returns the CPU microseconds of each."""
    _CONTENDERS[name]()
    work = _WORKS[what][1]()

    def measure(calls: int) -> float:
        started = process_time()
        for _ in range(calls):
            work()
        return (process_time() - started) / calls * 1e6

    return measure


def _published(share: float) -> Callable[[], None]:
    def instrument() -> None:
        providers = {"tracer_provider": tracer_provider(share), "meter_provider": meter_provider()}
        SQLAlchemyInstrumentor().instrument(**providers)
        HTTPXClientInstrumentor().instrument(**providers)

    return instrument


def _ours(share: float) -> Callable[[], None]:
    def instrument() -> None:
        meters = LimitedMeterProvider(meter_provider())
        instruments = Instruments.create(meters.get_meter("bench"))
        instrument_libraries(Providers(tracer_provider(share), meters), instruments, _SERVICES)

    return instrument


def _query() -> Callable[[], object]:
    engine = sqlalchemy.create_engine("sqlite://")
    connection = engine.connect()
    connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY)"))
    return lambda: connection.execute(_STATEMENT, {"id": 1}).all()


class _Pool:
    """Answers at once."""

    def handle_request(self, _request: Any) -> httpcore.Response:
        return httpcore.Response(200, headers=[(b"content-length", b"4")], content=b"fine")

    def close(self) -> None:
        pass


def _call() -> Callable[[], object]:
    transport = httpx.HTTPTransport()
    transport._pool = _Pool()  # type: ignore[assignment]
    client = httpx.Client(transport=transport, trust_env=False)
    return lambda: client.get(_URL).content


_WORKS: dict[str, tuple[str, Callable[[], Callable[[], object]]]] = {
    "query": ("query: SELECT by the key, SQLite in memory", _query),
    "call": ("call out: httpx with a response that is there at once", _call),
}
_CONTENDERS: dict[str, Callable[[], None]] = {
    _BARE: lambda: None,
    "this project, traces at 10 %": _ours(0.1),
    "this project, everything traced": _ours(1.0),
    "published packages, traces at 10 %": _published(0.1),
    "published packages, everything traced": _published(1.0),
}
