"""Switches the instrumentation of all libraries on, with the same providers, and off again."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.httpx import ClientSpans, HTTPClientInstrumentor
from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor
from telemetry.instruments import Instruments

_STABILITY_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"


@dataclass(frozen=True, slots=True)
class Providers:
    tracer_provider: TracerProvider
    meter_provider: MeterProvider


def instrument_libraries(
    providers: Providers, instruments: Instruments, directory: ServiceDirectory, engines: Sequence[Engine]
) -> None:
    """Instrument SQLAlchemy (spans, connections, query durations), httpx and httpx2 (spans, request durations)."""
    # Read once, when the first package of a process is instrumented; without it all of them use the old names.
    if not os.environ.get(_STABILITY_OPT_IN):
        os.environ[_STABILITY_OPT_IN] = "http,database"
    for instrument in _steps(providers, instruments, directory, engines):
        instrument()


def _steps(
    providers: Providers, instruments: Instruments, directory: ServiceDirectory, engines: Sequence[Engine]
) -> list[Callable[[], Any]]:
    spans = ClientSpans(directory)
    # The package's durations leave out failed requests, so HTTPClientInstrumentor records them instead.
    client: dict[str, Any] = {
        "tracer_provider": providers.tracer_provider,
        "meter_provider": NoOpMeterProvider(),
        "request_hook": spans.request_hook,
        "async_request_hook": spans.async_request_hook,
    }
    return [
        lambda: SQLAlchemyInstrumentor().instrument(
            engines=engines, tracer_provider=providers.tracer_provider, meter_provider=providers.meter_provider
        ),
        lambda: QueryDurationInstrumentor().instrument(duration=instruments.db_operation_duration),
        lambda: HTTPXClientInstrumentor().instrument(**client),
        lambda: HTTPX2ClientInstrumentor().instrument(**client),
        lambda: HTTPClientInstrumentor().instrument(duration=instruments.http_client_duration, directory=directory),
    ]


def uninstrument_libraries() -> None:
    """Undo `instrument_libraries`. Idempotent."""
    for instrumentor in (
        HTTPClientInstrumentor(),
        HTTPX2ClientInstrumentor(),
        HTTPXClientInstrumentor(),
        QueryDurationInstrumentor(),
        SQLAlchemyInstrumentor(),
    ):
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
