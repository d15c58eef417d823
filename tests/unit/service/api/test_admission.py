"""Requests that use a worker thread: a bounded number at once, each with a deadline for its wait."""

import asyncio
import inspect
from contextlib import AsyncExitStack

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from service.api.auth import dependency_calls
from service.api.edge import admission
from service.api.edge.admission import ADMISSION_CHECKS, Admission, Admissions, NotAdmitted
from service.database.process_engines import REQUEST_LIMITS

STARLETTES_THREADS = 40


def routes_of(app):
    return [route for route in iter_route_contexts(app.routes) if getattr(route, "dependant", None)]


def test_every_route_that_uses_a_thread_is_admitted(app_of):
    routes = routes_of(app_of())
    in_threads = [route for route in routes if not asyncio.iscoroutinefunction(route.endpoint)]

    unbounded = [route.path for route in in_threads if not {*dependency_calls(route.dependant)} & {*ADMISSION_CHECKS}]

    assert len(in_threads) > 5
    assert unbounded == []


def test_no_dependency_uses_a_thread(app_of):
    calls = {call for route in routes_of(app_of()) for call in dependency_calls(route.dependant)}

    assert [call for call in calls if not is_async(call)] == []


def is_async(call) -> bool:
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in (call, type(call).__call__)
    )


def test_the_admitted_requests_need_fewer_threads_and_connections_than_there_are():
    all_kinds = Admissions()

    assert all_kinds.queries.capacity + all_kinds.actions.capacity + all_kinds.alerts.capacity < STARLETTES_THREADS
    assert all_kinds.queries.capacity < REQUEST_LIMITS.pool_size + REQUEST_LIMITS.max_overflow


def test_a_request_waits_for_its_turn(monkeypatch):
    monkeypatch.setattr(admission, "ADMISSION_TIMEOUT", 30.0)

    async def run():
        gate, order = Admission(1), []

        async def take_turn(name):
            async with gate.admitted():
                order.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(take_turn(name) for name in "abc"))
        return order

    assert asyncio.run(run()) == ["a", "b", "c"]


@pytest.mark.parametrize(("timeout", "waiting"), [(0.01, 200), (30.0, 0)], ids=["too late", "too many"])
def test_a_request_without_a_turn_is_503_and_the_turns_of_others_are_not_lost(monkeypatch, timeout, waiting):
    monkeypatch.setattr(admission, "ADMISSION_TIMEOUT", timeout)
    monkeypatch.setattr(admission, "MAX_WAITING", waiting)

    async def run():
        gate = Admission(2)
        async with AsyncExitStack() as held:
            await held.enter_async_context(gate.admitted())
            await held.enter_async_context(gate.admitted())
            with pytest.raises(NotAdmitted) as refused:
                await held.enter_async_context(gate.admitted())
        async with gate.admitted(), gate.admitted():
            return refused.value

    problem = asyncio.run(run())

    assert (problem.status, problem.headers) == (503, {"retry-after": "5"})
    assert str(problem) == "The service is busy: 2 requests of this kind are being answered. Try again later."


def test_the_turn_of_a_request_ends_before_its_response_is_sent_so_that_no_slow_client_keeps_it(app_of):
    app = app_of()
    app.state.admissions = Admissions(queries=Admission(1))

    async def run():
        unread = asyncio.Event()

        async def send(message):
            if message["type"] == "http.response.body":
                await unread.wait()

        slow = asyncio.create_task(app(scope_of("/jobs"), receive_nothing, send))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            while not slow.done():
                answer = await client.get("/jobs", timeout=30)
                unread.set()
                await slow
            return answer

    assert asyncio.run(asyncio.wait_for(run(), 60)).status_code == 200


def scope_of(path):
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80),
    }  # fmt: skip


async def receive_nothing():
    return {"type": "http.request", "body": b"", "more_body": False}
