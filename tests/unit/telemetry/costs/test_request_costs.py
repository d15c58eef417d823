"""What a request costs: the steps of its coroutine, and the threads that it hands work to."""

import asyncio
import time
import types

import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from telemetry.costs import LEDGER, OPENAI, ROUTE, charge
from telemetry.costs.account import PENDING, current_account
from telemetry.costs.worker_threads import charge_worker_threads, leave_worker_threads
from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from tests.unit.telemetry.costs.test_run_costs import burn


@pytest.fixture
def app():
    app = FastAPI()

    @app.get("/interleaved/{number}")
    async def interleaved(number: int):
        for _ in range(3):
            burn(0.02)
            await asyncio.sleep(0.001)

    @app.get("/other")
    async def other():
        for _ in range(3):
            burn(0.04)
            await asyncio.sleep(0.001)

    @app.get("/thread")
    def thread():
        burn(0.1)
        time.sleep(0.2)

    @app.get("/background")
    async def background(tasks: BackgroundTasks):
        tasks.add_task(burn, 0.1)

    @app.get("/crash")
    async def crash():
        burn(0.1)
        raise ZeroDivisionError

    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=TracerProvider(shutdown_on_exit=False),
        meter_provider=MeterProvider(shutdown_on_exit=False),
    )
    charge_worker_threads()
    yield app
    leave_worker_threads()
    FastAPIInstrumentor.uninstrument_app(app)


def costs(app, *paths):
    """What the requests have cost, by route."""
    before = LEDGER.cpu_seconds()

    async def ask():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            await asyncio.gather(*(client.get(path) for path in paths))

    asyncio.run(ask())
    after = LEDGER.cpu_seconds()
    return {name: seconds - before.get((kind, name), 0.0) for (kind, name), seconds in after.items() if kind == ROUTE}


def test_requests_that_take_turns_on_the_event_loop_are_charged_for_their_own_steps(app):
    found = costs(app, "/interleaved/1", "/other", "/interleaved/2")

    assert found["/interleaved/{number}"] == pytest.approx(0.12, rel=0.15)
    assert found["/other"] == pytest.approx(0.12, rel=0.15)


@pytest.mark.parametrize("path", ["/thread", "/background", "/crash"])
def test_a_request_is_charged_for_worker_threads_background_tasks_and_what_crashes(app, path):
    assert costs(app, path)[path] == pytest.approx(0.1, rel=0.25)


def test_a_path_without_a_route_is_unmatched(app):
    assert costs(app, "/nowhere")["unmatched"] > 0


def test_a_request_that_is_cancelled_leaves_its_thread_to_others(app):
    @app.get("/waits")
    async def waits():
        burn(0.02)
        await asyncio.sleep(30)

    async def cancel():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.get("/waits"), 0.5)

    before = LEDGER.cpu_seconds().get((ROUTE, "/waits"), 0.0)
    asyncio.run(cancel())

    assert LEDGER.cpu_seconds()[ROUTE, "/waits"] - before == pytest.approx(0.02, rel=0.5)
    assert current_account() is None


def test_an_application_may_return_any_awaitable(app):
    @types.coroutine
    def generator(scope, receive, send):
        burn(0.02)
        yield from asyncio.sleep(0).__await__()
        yield from send({"type": "http.response.start", "status": 204, "headers": []}).__await__()
        yield from send({"type": "http.response.body", "body": b""}).__await__()

    class Middleware:
        def __init__(self, app):
            self.app = app

        def __call__(self, scope, receive, send):
            return generator(scope, receive, send)

    app.add_middleware(Middleware)

    assert costs(app, "/generator")["unmatched"] >= 0.02


def test_what_another_service_charges_belongs_to_the_route_before_and_after_the_request_has_waited(app):
    @app.get("/draft")
    async def draft():
        charge(0.5)
        await asyncio.sleep(0.001)
        charge(0.25)

    before, pending = LEDGER.usage().get((OPENAI, ROUTE, "/draft"), 0.0), PENDING.charged_usd
    costs(app, "/draft")

    assert LEDGER.usage()[OPENAI, ROUTE, "/draft"] - before == pytest.approx(0.75)
    assert PENDING.charged_usd == pytest.approx(pending)
