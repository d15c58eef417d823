"""Requests that take too long are logged once, with the line that they hang at and with their trace id."""

import inspect
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from telemetry.instrumentation.fastapi.active_requests import active_requests
from telemetry.stacks.slow_requests import MAX_PER_MINUTE, SLOW_REQUEST_SECONDS, SlowRequests

SOON = 30.0
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Stage:
    """An application whose requests hang until they are released, and the watch over them, whose clock a test moves."""

    def __init__(self):
        self.app, self.released, self.waiting = FastAPI(), threading.Event(), threading.Semaphore(0)
        self.meters, self.moved = MeterProvider(shutdown_on_exit=False), 0.0
        self.active = active_requests(self.meters)
        self.slow = SlowRequests(self.active.open_requests, clock=lambda: time.perf_counter() + self.moved)
        self.pool = ThreadPoolExecutor(MAX_PER_MINUTE + 5)
        self.requests = []

    def begin(self, path, number=1):
        client = TestClient(self.app, headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"})
        self.requests += [self.pool.submit(client.get, path) for _ in range(number)]
        for _ in range(number):
            assert self.waiting.acquire(timeout=SOON)

    def look_after(self, seconds):
        self.moved += seconds
        return self.slow.look()

    def end(self):
        self.released.set()
        found = [each.result(SOON).status_code for each in self.requests]
        self.pool.shutdown()
        return found


def block(stage):
    stage.waiting.release()
    stage.released.wait(SOON)  # hangs


async def hang(stage):
    stage.waiting.release()
    while not stage.released.is_set():  # noqa: ASYNC110  # the event is a thread's
        await anyio.sleep(0.05)  # hangs


def place_of(function):
    lines, first = inspect.getsourcelines(function)
    [line] = [first + number for number, text in enumerate(lines) if "# hangs" in text]
    return f"instrumentation/fastapi/test_slow_requests.py:{line} in {function.__name__}"


@pytest.fixture
def stage():
    stage = Stage()

    @stage.app.get("/async/{shop}")
    async def waits(shop: str) -> str:
        await hang(stage)
        return shop

    @stage.app.get("/sync/{shop}")
    def blocks(shop: str) -> str:
        block(stage)
        return shop

    @stage.app.get("/loop")
    async def blocks_loop() -> None:
        block(stage)

    @stage.app.get("/events")
    async def events() -> StreamingResponse:
        async def lines():
            yield "data: 1\n\n"
            await hang(stage)

        return StreamingResponse(lines(), media_type="text/event-stream")

    FastAPIInstrumentor.instrument_app(
        stage.app, tracer_provider=TracerProvider(shutdown_on_exit=False), meter_provider=stage.meters
    )
    yield stage
    assert set(stage.end()) <= {200}
    FastAPIInstrumentor.uninstrument_app(stage.app)


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.WARNING, "telemetry.stacks")

    class Traces(logging.Filter):
        def filter(self, record):
            context = trace.get_current_span().get_span_context()
            record.seen_trace_id = trace.format_trace_id(context.trace_id)
            return True

    caplog.handler.addFilter(traces := Traces())
    yield caplog
    caplog.handler.removeFilter(traces)


@pytest.mark.parametrize(
    ("path", "route", "place"),
    [("/async/wb", "/async/{shop}", hang), ("/sync/wb", "/sync/{shop}", block), ("/loop", "/loop", block)],
)
def test_a_slow_request_is_logged_with_the_line_it_hangs_at(stage, logged, path, route, place):
    stage.begin(path)

    stage.look_after(SLOW_REQUEST_SECONDS)

    [record] = logged.records
    assert record.getMessage().startswith(f"GET {route} has been running for 10 s: {place_of(place)}, called from ")
    assert record.levelname == "WARNING"
    assert record.seen_trace_id == TRACE_ID
    assert vars(record)["http.route"] == route
    assert place_of(place) in record.stack_info


def test_behind_a_middleware_that_runs_it_in_a_task_of_its_own_it_is_found_as_well(logged):
    stage = Stage()

    @stage.app.middleware("http")
    async def passes(request, call_next):
        return await call_next(request)

    @stage.app.get("/async")
    async def waits() -> None:
        await hang(stage)

    FastAPIInstrumentor.instrument_app(stage.app, meter_provider=stage.meters)
    stage.begin("/async")

    stage.look_after(SLOW_REQUEST_SECONDS)

    stage.end()
    [record] = logged.records
    assert place_of(hang) in record.getMessage()


def test_each_slow_request_is_logged_once(stage, logged):
    stage.begin("/async/wb")

    for _ in range(5):
        stage.look_after(SLOW_REQUEST_SECONDS)

    assert len(logged.records) == 1


def test_a_request_in_time_is_not_logged(stage, logged):
    stage.begin("/async/wb")

    assert stage.look_after(1) == 1.0

    assert logged.records == []


def test_a_stream_of_events_is_meant_to_last(stage, logged):
    stage.begin("/events")

    stage.look_after(SLOW_REQUEST_SECONDS)

    assert logged.records == []


def test_of_many_slow_requests_some_are_logged_and_the_others_counted(stage, logged):
    stage.begin("/async/wb", MAX_PER_MINUTE + 3)

    stage.look_after(SLOW_REQUEST_SECONDS)
    assert len(logged.records) == MAX_PER_MINUTE
    stage.look_after(60)

    assert logged.messages[MAX_PER_MINUTE:] == [
        "3 more requests took longer than 10 s within a minute. Their stacks were not taken."
    ]


def test_a_request_that_has_ended_is_not_remembered(stage):
    stage.begin("/async/wb")
    stage.look_after(SLOW_REQUEST_SECONDS)

    assert stage.end() == [200]
    stage.look_after(1)

    assert stage.slow._seen == set()
    assert stage.active.open_requests() == []
