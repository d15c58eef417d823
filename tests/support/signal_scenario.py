"""The service in its sandbox, with routes at which everything happens once: the application of `signal_reference`."""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Thread
from typing import Any

import httpx
from fastapi import FastAPI, WebSocket
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.advice.prompt import ReviewForPrompt
from service.bootstrap import Service
from service.integrations.http.errors import CallError
from service.integrations.http.sleep import InstrumentedSleep
from service.main import create_app
from service.scheduler.scheduler import execute_job
from telemetry import providers
from telemetry.jobs import monitor_job
from tests.support.processes import eventually
from tests.support.signal_reference import SECRET

JOBS = ("check_resources", "sync_wb_reviews", "sync_wb_orders", "sync_ozon_reviews", "sync_ozon_orders")
_log = logging.getLogger("scenario")


def read_item(item_id: int) -> dict[str, int]:
    return {"id": item_id}


def crash() -> None:
    raise RuntimeError("crashed")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def run_everything(service: Service) -> None:
    for job in JOBS:
        execute_job(service.schedule.get(job), service.context)
    eventually(lambda: _knows_ages(service), within=240)
    with monitor_job("inner"):
        _queries(service)
        _calls(service)
        InstrumentedSleep(service.stop_signal, service.instruments.count_wait).for_service("openai")(0.001, "pace")
    with suppress(RuntimeError), monitor_job("failing"):
        raise RuntimeError("failed")
    _drafts(service)
    service.telemetry.metrics.instruments.dropped.add(0, {"queue": "spans", "reason": "queue full"})
    with trace.get_tracer("scenario").start_as_current_span("errors"):
        _log.error("An error.")
        try:
            crash()
        except RuntimeError:
            _log.exception("An exception.")


def _knows_ages(service: Service) -> bool:
    """Whether the freshness was read after the syncs."""
    service.freshness.run_once()
    return b"source_age_seconds{" in service.telemetry.metrics.page.render()[0]


def _queries(service: Service) -> None:
    with service.engine.begin() as connection:
        connection.execute(text("CREATE TABLE scenario (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO scenario VALUES (:id)"), [{"id": number} for number in range(3)])
        connection.execute(text(f"SELECT id FROM scenario WHERE '{SECRET}' = 'x'")).all()  # noqa: S608  # a literal on purpose
        with suppress(SQLAlchemyError):
            connection.execute(text("SELECT * FROM nowhere"))


def _calls(service: Service) -> None:
    """A call without a response, one that is refused, one whose response is cut off, and one with another method."""
    with socket.create_server(("127.0.0.1", 0)) as cut, httpx.Client(trust_env=False, timeout=10) as client:
        url = f"http://user:{SECRET}@127.0.0.1:{cut.getsockname()[1]}/{SECRET}?token={SECRET}"
        _answer_one(cut, lambda: client.get(url))
        client.get(f"{service.settings.sandbox_url}/nowhere/{SECRET}")
        client.request("FETCH", service.settings.sandbox_url)
    with suppress(httpx.HTTPError):
        httpx.get(url, trust_env=False)


def _answer_one(server: socket.socket, call: Callable[[], Any]) -> None:
    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")

    thread = Thread(target=answer)
    thread.start()
    with suppress(httpx.HTTPError):
        call()
    thread.join(10)


def _drafts(service: Service) -> None:
    """One call of the model that succeeds, and one that is refused."""
    drafter = service.clients.drafter
    review = ReviewForPrompt(marketplace="wb", rating=5, text="Хорошо", pros="", cons="", product_name=None)
    drafter.draft(review, 1000)
    with suppress(CallError):
        replace(drafter, model="no-such-model").draft(review, 1000)


def make_app() -> FastAPI:
    app = create_app()
    app.add_api_route("/scenario/items/{item_id}", read_item)
    app.add_api_route("/scenario/crash", crash)
    app.add_api_websocket_route("/scenario/talk", talk)
    app.add_api_route("/scenario/run", lambda: run_everything(app.state.runtime))
    return app


class AtStart(Sampler):
    """Samples everything, and notes in the attribute `at_start` which attributes it saw."""

    def should_sample(  # the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        seen = {**(attributes or {}), "at_start": sorted(attributes or {})}
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, seen, links, trace_state)

    def get_description(self) -> str:
        return "AtStart"


def make_watched_app() -> FastAPI:
    """The same application, whose spans say in `at_start` what a sampler saw."""
    providers.JobSampler = lambda *_arguments: AtStart()  # type: ignore[assignment,misc]
    return make_app()
