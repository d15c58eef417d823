"""Self-test: a request, a query, a call, a job and a log go through, and whether a measurement came out of each.

An instrumentation that refuses a library's version says one line and is silent from then on; this is how it is noticed.
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
from telemetry.jobs.monitor import monitor_job
from telemetry.metrics.families import pairs

SELF_TEST_NAME: Final = "selftest"
_TRACE_ID: Final = (
    uuid4().int >> 64 << 64
) + 1  # a ratio looks at the lower half: every ratio but 0 lets this one through


class Silent(Exception):  # it is what an instrumentation is, not what went wrong in the program
    """Something went through an instrumentation, and nothing came out."""


class SelfTest:
    """Runs in a process of its own: its request, its error and its job are counted like everybody's."""

    def __init__(self, telemetry: Telemetry, engine: Engine) -> None:
        self._telemetry = telemetry
        self._engine = engine
        self._spans = InMemorySpanExporter()
        telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))

    def checks(self) -> Mapping[str, Callable[[], str]]:
        """Each says what it saw, or raises `Silent`."""
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
        return self._well("counted")

    def query(self) -> str:
        with (
            self._emits('db_query_duration_seconds_count{query_type="select"}', "SELECT"),
            self._engine.connect() as connection,
        ):
            connection.execute(text("SELECT 1"))
        return self._well("measured")

    def call(self) -> str:
        with _listener() as url, self._emits('external_api_duration_seconds_count{service="other"}', "GET unmatched"):
            httpx.get(url, timeout=5, trust_env=False)
        return self._well("measured")

    def job(self) -> str:
        with self._emits(
            f'scheduler_jobs_total{{job_name="{SELF_TEST_NAME}",status="success"}}', f"job {SELF_TEST_NAME}"
        ):
            with monitor_job(SELF_TEST_NAME) as run:
                pass
            self._telemetry.jobs.recorder.flush(5)
        if not self._telemetry.jobs.store.forget(run.run_id):
            raise Silent("The run did not arrive in job_runs.")
        return self._well("recorded, measured")

    def log(self) -> str:
        quiet = logging.Logger(__name__, logging.ERROR)  # noqa: LOG001  # no parent: nobody else hears it
        quiet.addHandler(self._telemetry.log_handler)
        with self._emits(f'errors_total{{error_type="log",component="{SELF_TEST_NAME}"}}', None):
            quiet.error("An error of the self-test.", extra={"component": SELF_TEST_NAME})
        return "counted"

    @contextmanager
    def _emits(self, series: str, span: str | None) -> Generator[None]:
        """Whether the series grew and the span came out, within a trace that is sampled."""
        before = self._value(series)
        token = otel_context.attach(_sampled())
        try:
            yield
        finally:
            otel_context.detach(token)
        if self._value(series) <= before:
            raise Silent(f"{series} did not grow: nothing was measured.")
        if span is not None and self._traces() and not self._came_out(span):
            raise Silent(f"No span {span!r} came out.")

    def _well(self, what: str) -> str:
        return (
            f"{what} and traced"
            if self._traces()
            else f"{what}; not traced, as OTEL_TRACES_SAMPLER and OTEL_PROPAGATORS say"
        )

    def _came_out(self, span: str) -> bool:
        return any(each.name.startswith(span) for each in self._spans.get_finished_spans())

    def _traces(self) -> bool:
        """Whether the sampler that was asked for lets a sampled caller's spans through, and a propagator tells of it."""
        result = self._telemetry.tracer_provider.sampler.should_sample(_sampled(), _TRACE_ID, SELF_TEST_NAME)
        return result.decision is Decision.RECORD_AND_SAMPLE and bool(propagate.get_global_textmap().fields)

    def _value(self, series: str) -> float:
        page, _ = self._telemetry.metrics.page.render()
        for line in page.decode().splitlines():
            if line.startswith(f"{series} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0


def _sampled() -> otel_context.Context:
    parent = trace.SpanContext(_TRACE_ID, uuid4().int >> 64, is_remote=True, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(parent))


def _nothing() -> dict[str, str]:
    return {}


async def _get(app: FastAPI, path: str) -> None:
    """A server asks only a request's headers whether it belongs to a sampled trace."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://selftest") as client:
        await client.get(path, headers=headers)


@contextmanager
def _listener() -> Generator[str]:
    """Somebody to call: an HTTP server on a free port of loopback that answers once."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Answer) as server:
        server.timeout = 5
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        thread.join(5)


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Nothing: the check's own line says it."""
