"""`opentelemetry-instrument` around a service that starts the telemetry itself: each request is measured, once."""

import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import Programs, free_port

pytestmark = pytest.mark.e2e

APP: Final = """
import os
from fastapi import FastAPI, Response

if os.environ.get("OTHERS"):
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    trace.set_tracer_provider(TracerProvider())
    metrics.set_meter_provider(MeterProvider())

import telemetry

app, inner = FastAPI(), FastAPI()
running = telemetry.start(app=app)


@app.get("/books/{book_id}")
@inner.get("/books/{book_id}")
def read_book(book_id: int):
    return {}


app.mount("/inner", inner)
if os.environ.get("BOTH"):
    telemetry.start(app=inner)


@app.get("/metrics")
def read_metrics():
    page, kind = running.metrics.page.render()
    return Response(page, media_type=kind)
"""

PATHS: Final = ("/books/{book_id}", "/inner/books/{book_id}")
SERVER: Final = 2  # SPAN_KIND_SERVER of OTLP


@pytest.mark.parametrize(
    "variables",
    [
        {"OTHERS": "yes", "BOTH": "yes"},
        {},
        {"OTHERS": "yes"},
        {"BOTH": "yes"},
    ],
    ids=str,
)
def test_requests_are_counted_and_traced_once(programs: Programs, variables):
    programs.write("library.py", APP)
    instrument = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    port = free_port()

    with otlp_receiver() as arrived:
        library = programs.start_command(
            *(instrument, sys.executable, "-m", "uvicorn", "library:app", "--port", str(port)),
            port=port,
            OTEL_SERVICE_NAME="library",
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_EXPORTER_OTLP_ENDPOINT=arrived.url,
            **variables,
        )
        library.wait_for("/docs")
        for path in PATHS:
            assert library.get(path.replace("{book_id}", "1")).status_code == 200
        page = library.get("/metrics").text
        library.tell(signal.SIGTERM)
        library.exit_code()

    for path in PATHS:
        assert f'http_requests_total{{method="GET",endpoint="{path}",status="200"}} 1' in page.replace(".0", "")
    assert sum("http_requests_total{" in line and "books" in line for line in page.splitlines()) == len(PATHS)
    servers = [span for span in arrived.every_span() if span.kind == SERVER and "books" in span.name]
    assert sorted(span.name for span in servers) == [f"GET {path}" for path in PATHS]
