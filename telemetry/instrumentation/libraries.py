"""Switches the instrumentation of all libraries on, with the same providers, and off again."""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy.engine.create
import sqlalchemy.ext.asyncio
from opentelemetry.instrumentation import sqlalchemy as published
from opentelemetry.instrumentation.sqlalchemy import version as published_version
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import TracerProvider
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InvalidRequestError

from telemetry import semconv
from telemetry.compatibility import internals
from telemetry.costs.worker_threads import charge_worker_threads, leave_worker_threads
from telemetry.instrumentation.connection_pools import POOLS
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from telemetry.instrumentation.psycopg_pools import PSYCOPG_POOLS
from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor
from telemetry.instruments import Instruments
from telemetry.sdk.shutdown import attempt

_STABILITY_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_LISTENERS: Final = "_remove_event_listener_params"


@dataclass(frozen=True, slots=True)
class Providers:
    tracer_provider: TracerProvider
    meter_provider: MeterProvider


def instrument_libraries(
    providers: Providers, instruments: Instruments, directory: ServiceDirectory, *, trace_connects: bool = False
) -> None:
    """Instrument SQLAlchemy (spans, connections, query durations), httpx and httpx2 (spans, request durations),
    and the threads that work is handed over to (CPU time).

    What instrumented them before, such as `opentelemetry-instrument` with another distro, is replaced. All engines of the
    process are instrumented, also those that exist already.

    Args:
        providers: where the signals go.
        instruments: the instruments of the durations.
        directory: the external services by URL.
        trace_connects: also make the spans `connect` of SQLAlchemy, one each time that a connection is taken from the pool.
    """
    # Read once, when the first package of a process is instrumented; without it all of them use the old names.
    if not os.environ.get(_STABILITY_OPT_IN):
        os.environ[_STABILITY_OPT_IN] = "http,database"
    uninstrument_libraries()
    _switch_published_on(providers, trace_connects=trace_connects)
    QueryDurationInstrumentor().instrument(
        duration=instruments.db_operation_duration,
        tracer=providers.tracer_provider.get_tracer(
            published.__name__, published_version.__version__, schema_url=semconv.SCHEMA_URL
        ),
    )
    charge_worker_threads()
    POOLS.watch()
    PSYCOPG_POOLS.watch()
    HTTPClientInstrumentor().instrument(
        duration=instruments.http_client_duration, directory=directory, tracer_provider=providers.tracer_provider
    )


def _switch_published_on(providers: Providers, *, trace_connects: bool) -> None:
    """Let the published package make its spans `connect`, if they are asked for, and nothing else.

    It would listen to each engine that is made from now on. Whoever instruments SQLAlchemy later finds it instrumented.
    """
    published.SQLAlchemyInstrumentor().instrument(
        tracer_provider=providers.tracer_provider, meter_provider=NoOpMeterProvider()
    )
    for module in (sqlalchemy, sqlalchemy.engine, sqlalchemy.engine.create):
        unwrap(module, "create_engine")
    unwrap(sqlalchemy.ext.asyncio, "create_async_engine")
    if not trace_connects:
        unwrap(Engine, "connect")
    _remove_published_listeners()  # those of an engine that another thread has made just now


def uninstrument_libraries() -> None:
    """Undo `instrument_libraries`. Idempotent."""
    attempt("the CPU time of worker threads", leave_worker_threads)
    attempt("the look at connection pools", POOLS.unwatch)
    attempt("the published instrumentation of engines", _remove_published_listeners)
    for instrumentor in (HTTPClientInstrumentor(), QueryDurationInstrumentor(), published.SQLAlchemyInstrumentor()):
        if instrumentor.is_instrumented_by_opentelemetry:
            attempt(type(instrumentor).__name__, instrumentor.uninstrument)


def _remove_published_listeners() -> None:
    """Let the published package listen to no engine. Its own way to do so raises where it listens to one twice."""
    listeners: list[Any] | None = getattr(EngineTracer, _LISTENERS, None)
    if listeners is None:
        internals.note_missing(f"EngineTracer.{_LISTENERS}")
        return
    while listeners:
        reference, name, listener = listeners.pop()
        if (engine := reference()) is not None:
            with suppress(InvalidRequestError):
                event.remove(engine, name, listener)
