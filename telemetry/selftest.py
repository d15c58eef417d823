"""A smoke test of the instrumentation: makes a request, a query, a call, a job run and a log record, and checks their signals.

An instrumentation that does not support a library's version logs one line and emits nothing from then on. This test notices.
"""

import asyncio
import http.server
import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

import httpx
from fastapi import FastAPI
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from sqlalchemy import text
from sqlalchemy.engine import Engine

from telemetry.build import Telemetry
from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from telemetry.jobs.monitor import monitor_job
from telemetry.metrics.labels import pairs

SELF_TEST_NAME: Final = "selftest"
_TRACE_ID: Final = (
    uuid4().int >> 64 << 64
) + 1  # a ratio sampler looks at the lower half: every ratio but 0 samples this trace


class NothingEmitted(Exception):
    """An instrumentation emitted no signal for an operation."""


class SelfTest:
    """The checks. Run them in a process of their own: their request, error and job are counted like any others."""

    def __init__(self, telemetry: Telemetry, engine: Engine) -> None:
        self._telemetry = telemetry
        self._engine = engine
        self._spans = InMemorySpanExporter()
        telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))

    def checks(self) -> Mapping[str, Callable[[], str]]:
        """The checks by name: each returns what it found, or raises `NothingEmitted`."""
        return {
            "request": self.request,
            "query": self.query,
            "call": self.call,
            "job": self.job,
            "log": self.log,
        }

    def request(self) -> str:
        app = FastAPI(openapi_url=None)
        app.add_api_route(f"/{SELF_TEST_NAME}", _nothing)
        self._telemetry.instrument_app(app, ())
        labels = pairs({"method": "GET", "endpoint": f"/{SELF_TEST_NAME}", "status": "200"})
        with self._emits(f"http_requests_total{{{labels}}}", f"GET /{SELF_TEST_NAME}"):
            asyncio.run(_get(app, f"/{SELF_TEST_NAME}"))
        complaint = FastAPIInstrumentor.complaint(app)
        return self._finding("counted") + (f", by the published package alone: {complaint}" if complaint else "")

    def query(self) -> str:
        with (
            self._emits('db_query_duration_seconds_count{query_type="select"}', "SELECT"),
            self._engine.connect() as connection,
        ):
            connection.execute(text("SELECT 1"))
        return self._finding("measured")

    def call(self) -> str:
        with _listener() as url, self._emits('external_api_duration_seconds_count{service="other"}', "GET"):
            httpx.get(url, timeout=5, trust_env=False)
        return self._finding("measured")

    def job(self) -> str:
        with self._emits(
            f'scheduler_jobs_total{{job_name="{SELF_TEST_NAME}",status="success"}}', f"job {SELF_TEST_NAME}"
        ):
            with monitor_job(SELF_TEST_NAME) as run:
                pass
            self._telemetry.jobs.recorder.flush(5)
        if not self._telemetry.jobs.store.delete_run(run.run_id):
            raise NothingEmitted("The run did not arrive in job_runs.")
        return self._finding("recorded, measured")

    def log(self) -> str:
        isolated = logging.Logger(__name__, logging.ERROR)  # noqa: LOG001  # no parent, so no other handler gets the record
        isolated.addHandler(self._telemetry.log_handler)
        with self._emits(f'errors_total{{error_type="log",component="{SELF_TEST_NAME}"}}', None):
            isolated.error("An error of the self-test.", extra={"component": SELF_TEST_NAME})
        return "counted"

    @contextmanager
    def _emits(self, series: str, span: str | None) -> Generator[None]:
        """Check, within a sampled trace, that the series grows and the span is exported."""
        before = self._value(series)
        token = otel_context.attach(_sampled())
        try:
            yield
        finally:
            otel_context.detach(token)
        if self._value(series) <= before:
            raise NothingEmitted(f"{series} did not grow: nothing was measured.")
        if span is not None and self._is_tracing() and not self._was_exported(span):
            raise NothingEmitted(f"No span {span!r} came out.")

    def _finding(self, measured: str) -> str:
        return (
            f"{measured} and traced"
            if self._is_tracing()
            else f"{measured}; not traced, as OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS say"
        )

    def _was_exported(self, span: str) -> bool:
        return any(each.name.startswith(span) for each in self._spans.get_finished_spans())

    def _is_tracing(self) -> bool:
        """Whether the configured sampler samples the spans of a sampled caller, and a propagator carries its context."""
        result = self._telemetry.tracer_provider.sampler.should_sample(_sampled(), _TRACE_ID, SELF_TEST_NAME)
        return result.decision is Decision.RECORD_AND_SAMPLE and bool(propagate.get_global_textmap().fields)

    def _value(self, series: str) -> float:
        exposition, _ = self._telemetry.metrics.page.render()
        for line in exposition.decode().splitlines():
            if line.startswith(f"{series} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


def _sampled() -> otel_context.Context:
    parent = trace.SpanContext(_TRACE_ID, uuid4().int >> 64, is_remote=True, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def _nothing() -> dict[str, str]:
    return {}


async def _get(app: FastAPI, path: str) -> None:
    """Send a request with the trace context in its headers, the only place where a server reads it."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://selftest") as client:
        await client.get(path, headers=headers)


@contextmanager
def _listener() -> Generator[str]:
    """An HTTP server on a free loopback port that answers one request."""
    with http.server.HTTPServer(("127.0.0.1", 0), _NoContentHandler) as server:
        server.timeout = 5
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        thread.join(5)


class _NoContentHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Log nothing: the check reports its own result."""
