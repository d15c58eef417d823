"""Switches the instrumentation of all libraries on, with the same providers, and off again."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.sqlalchemy.engine import EngineTracer
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry.compatibility import internals
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor, QueryTracer
from telemetry.instrumentation.wrapped_tracers import WrappedTracers
from telemetry.instruments import Instruments

_STABILITY_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"
_LISTENERS: Final = "_remove_event_listener_params"


@dataclass(frozen=True, slots=True)
class Providers:
    tracer_provider: TracerProvider
    meter_provider: MeterProvider


def instrument_libraries(
    providers: Providers,
    instruments: Instruments,
    directory: ServiceDirectory,
    engines: Sequence[Engine],
    *,
    trace_connects: bool = False,
) -> None:
    """Instrument SQLAlchemy (spans, connections, query durations), httpx and httpx2 (spans, request durations).

    What instrumented them before, such as `opentelemetry-instrument` with another distro, is replaced.

    Args:
        providers: where the signals go.
        instruments: the instruments of the durations.
        directory: the external services by URL.
        engines: those that exist already; later ones are instrumented as they are created.
        trace_connects: also make the spans `connect` of SQLAlchemy, one each time that a connection is taken from the pool.
    """
    # Read once, when the first package of a process is instrumented; without it all of them use the old names.
    if not os.environ.get(_STABILITY_OPT_IN):
        os.environ[_STABILITY_OPT_IN] = "http,database"
    engines = [*engines, *(engine for engine in _published_engines() if engine not in engines)]
    uninstrument_libraries()
    QueryDurationInstrumentor().instrument(duration=instruments.db_operation_duration)
    SQLAlchemyInstrumentor().instrument(
        engines=engines,
        tracer_provider=WrappedTracers(providers.tracer_provider, partial(QueryTracer, with_connects=trace_connects)),
        meter_provider=providers.meter_provider,
    )
    HTTPClientInstrumentor().instrument(
        duration=instruments.http_client_duration, directory=directory, tracer_provider=providers.tracer_provider
    )


def _published_engines() -> list[Engine]:
    """The engines that the published package has instrumented; it has no public name for them."""
    listeners: Sequence[Any] | None = getattr(EngineTracer, _LISTENERS, None)
    if listeners is None:
        internals.note_missing(f"EngineTracer.{_LISTENERS}")
        return []
    return list(dict.fromkeys(engine for reference, *_ in listeners if isinstance(engine := reference(), Engine)))


def uninstrument_libraries() -> None:
    """Undo `instrument_libraries`. Idempotent."""
    for instrumentor in (
        HTTPClientInstrumentor(),
        QueryDurationInstrumentor(),
        SQLAlchemyInstrumentor(),
    ):
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
