"""FastAPI measures requests itself as soon as there are global providers: nothing may be measured twice."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import ROOT

# In a process of its own: global providers are set once for a process.
PROGRAM = """
import asyncio, json
import httpx
from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from telemetry.instrumentation.fastapi import FastAPIInstrumentor

reader, spans, records = InMemoryMetricReader(), InMemorySpanExporter(), InMemoryLogRecordExporter()
tracers, meters, loggers = TracerProvider(), MeterProvider([reader]), LoggerProvider()
tracers.add_span_processor(SimpleSpanProcessor(spans))
loggers.add_log_record_processor(SimpleLogRecordProcessor(records))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(meters)
_logs.set_logger_provider(loggers)

def application():
    app = FastAPI()

    @app.get("/items/{number}")
    def read_item(number: int) -> int:
        return 1 // number

    return app

def whole(instrumented):
    app = application()
    app.mount("/mounted", application())
    if instrumented:
        FastAPIInstrumentor.instrument_app(app)
    return app

async def ask(app):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for path in ("/items/1", "/items/x", "/items/0", "/mounted/items/1"):
            await client.get(path)

def counted():
    data = reader.get_metrics_data()
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return sum(p.count for m in found if m.name == "http.server.request.duration" for p in m.data.data_points)

def measure(app):
    before = counted()
    asyncio.run(ask(app))
    seen = {
        "requests": counted() - before,
        "spans": sorted(span.name for span in spans.get_finished_spans() if span.kind is SpanKind.SERVER),
        "spans of any kind": len(spans.get_finished_spans()),
        "records": len(records.get_finished_logs()),
    }
    spans.clear()
    records.clear()
    return seen

print(json.dumps({"bare": measure(whole(False)), "instrumented": measure(whole(True))}))
"""


@pytest.fixture(scope="module")
def measured():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=40, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_request_is_counted_once(measured):
    assert measured["instrumented"]["requests"] == 4


def test_a_request_has_one_span_also_where_it_was_answered_by_a_mounted_application(measured):
    assert measured["instrumented"]["spans"] == ["GET /items/{number}"] * 3 + ["GET /mounted/items/{number}"]
    assert measured["instrumented"]["spans of any kind"] == 4


def test_fastapi_logs_no_crash_of_its_own(measured):
    assert measured["instrumented"]["records"] == 0


def test_without_us_fastapi_would_have_measured(measured):
    """If this fails, the code that switches FastAPI's own telemetry off has become superfluous."""
    assert measured["bare"]["requests"] == 4
