import asyncio
import socket
import threading
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, StatusCode, TracerProvider
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles

from telemetry import failsafe
from telemetry.instrumentation.fastapi.headers import HEADER_GETTER

# The server closes a connection on which a route has crashed, which a client may learn too late.
ONE_REQUEST_A_CONNECTION = httpx.Limits(max_keepalive_connections=0)
BROWSER = {"user-agent": "tests/1.0"}
DURATION = "http.server.request.duration"


def plain(_request):
    return PlainTextResponse("plain")


def build(signals, *, static, untraced=("/health",), **options):
    """An application with a route of each sort."""
    app = FastAPI()

    @app.get("/items/{number}")
    def read_item(number: int) -> int:
        return number

    @app.put("/items/{number}", status_code=201)
    async def write_item(number: int) -> int:
        return number

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("no such luck")

    @app.get("/trace/{how}")
    def traced(how: str) -> str:
        return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)

    @app.get("/atrace")
    async def atraced() -> str:
        return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)

    app.include_router(nested(), prefix="/api")
    app.mount("/admin", mounted())
    app.mount("/shops/{shop}", mounted())
    app.mount("/static", StaticFiles(directory=static))
    app.add_route("/plain/{word}", plain)
    app.add_route("/same/{word}", plain)
    app.router.routes.append(Mount("/old", routes=[Route("/plain/{word}", plain)]))
    signals.instrument(app, untraced, **options)
    return app


def nested():
    inner = APIRouter(prefix="/v1")

    @inner.get("/reviews/{review_id}")
    def read_review(review_id: str) -> str:
        return review_id

    outer = APIRouter()
    outer.mount("/inside", mounted())
    outer.include_router(inner)
    return outer


def mounted():
    app = FastAPI()

    @app.get("/users/{name}")
    def read_user(name: str) -> str:
        return name

    return app


@pytest.fixture
def app(signals, tmp_path):
    (tmp_path / "page.html").write_text("<html>")
    return build(signals, static=tmp_path)


@pytest.fixture
def ask(app):
    """Ask the application itself: method, path, headers."""

    def asking(method, path, **headers):
        return asyncio.run(answer(app, method, path, headers))

    return asking


async def answer(app, method, path, headers=None, root_path=""):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers=headers)


COUNTED = [
    ("GET", "/items/1", 200, "/items/{number}"),
    ("PUT", "/items/1", 201, "/items/{number}"),
    ("GET", "/items/one", 422, "/items/{number}"),
    ("DELETE", "/items/1", 405, "/items/{number}"),
    ("HEAD", "/items/1", 405, "/items/{number}"),
    ("HEAD", "/docs", 200, "/docs"),
    ("GET", "/items", 404, "unmatched"),
    ("GET", "/items/1/", 307, "/items/{number}"),
    ("GET", "/health", 200, "/health"),
    ("GET", "/crash", 500, "/crash"),
    ("GET", "/api/v1/reviews/7", 200, "/api/v1/reviews/{review_id}"),
    ("POST", "/api/v1/reviews/7", 405, "/api/v1/reviews/{review_id}"),
    ("GET", "/api/v1/orders", 404, "unmatched"),
    ("GET", "/admin/users/ann", 200, "/admin/users/{name}"),
    ("POST", "/admin/users/ann", 405, "/admin/users/{name}"),
    ("GET", "/admin/docs", 200, "/admin/docs"),
    ("GET", "/admin/orders", 404, "unmatched"),
    ("GET", "/shops/42/users/ann", 200, "/shops/{shop}/users/{name}"),
    ("GET", "/api/inside/users/ann", 200, "/api/inside/users/{name}"),
    ("GET", "/static/page.html", 200, "/static/{path}"),
    ("GET", "/static/none.html", 404, "/static/{path}"),
    ("GET", "/plain/x", 200, "/plain/{word}"),
    ("GET", "/same/x", 200, "/same/{word}"),
    ("GET", "/old/plain/x", 200, "/old/plain/{word}"),
    ("GET", "/old/none", 404, "unmatched"),
    ("GET", "/docs", 200, "/docs"),
    ("GET", "/openapi.json", 200, "/openapi.json"),
    ("GET", "/nowhere/%F0%9F%91%8D", 404, "unmatched"),
]


@pytest.mark.parametrize(("method", "path", "status", "endpoint"), COUNTED)
def test_a_request_is_counted_by_method_endpoint_and_status(ask, signals, method, path, status, endpoint):
    answered = ask(method, path)

    assert answered.status_code == status
    assert signals.requests() == {(endpoint, method, str(status)): 1}
    assert signals.series("http_request_duration_seconds_count") == {(endpoint, method, str(status)): 1}


@pytest.mark.parametrize("method", ["PROPFIND", "QUERY", "X" * 100])
def test_a_method_that_is_not_known_is_other(ask, signals, method):
    ask(method, "/items/1")

    assert set(signals.requests()) == {("/items/{number}", "_OTHER", "405")}
    assert signals.span().name == "HTTP /items/{number}"
    assert signals.span().attributes["http.request.method"] == "_OTHER"


def test_paths_are_never_a_label(ask, signals):
    for number in range(20):
        ask("GET", f"/shops/{number}/users/{number}")
        ask("GET", f"/nowhere/{number}")

    assert signals.requests() == {("/shops/{shop}/users/{name}", "GET", "200"): 20, ("unmatched", "GET", "404"): 20}


def test_headers_of_a_client_make_no_series(ask, signals):
    for number in range(50):
        ask(
            "GET",
            "/items/1",
            **{
                "host": f"fake{number}.example",
                "x-forwarded-for": f"10.0.0.{number}",
                "x-forwarded-host": f"fake{number}.example",
                "x-forwarded-proto": f"proto{number}",
                "x-forwarded-prefix": f"/{number}",
                "user-agent": f"agent {number}",
            },
        )

    assert signals.requests() == {("/items/{number}", "GET", "200"): 50}
    assert len(signals.meters._attribute_sets("opentelemetry.instrumentation.fastapi", DURATION)._seen) == 1


def test_the_root_path_of_a_server_is_no_part_of_a_route(app, signals):
    for path in ("/items/1", "/behind/items/1", "/behind/admin/users/ann"):
        asyncio.run(answer(app, "GET", path, root_path="/behind"))

    assert set(signals.requests()) == {("/items/{number}", "GET", "200"), ("/admin/users/{name}", "GET", "200")}


def test_background_tasks_are_not_part_of_the_duration(signals):
    app, finished = FastAPI(), threading.Event()
    counted_when_it_ran = []

    async def work():
        counted_when_it_ran.append((signals.requests(), signals.series("http_requests_in_progress")))
        finished.set()

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "soon"

    signals.instrument(app)
    asyncio.run(answer(app, "GET", "/later"))

    assert finished.is_set()
    assert counted_when_it_ran == [({("/later", "GET", "200"): 1}, {("GET",): 0})]


def test_a_span_ends_with_the_answer_and_what_a_background_task_does_belongs_to_its_trace(signals):
    app, marks = FastAPI(), []

    async def work():
        with signals.tracer.start_as_current_span("work") as span:
            marks.append(span.start_time)

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "soon"

    signals.instrument(app)
    asyncio.run(answer(app, "GET", "/later"))

    work_span, task_span, request_span = signals.spans
    assert task_span.name == "BackgroundTask work"
    assert task_span.parent.span_id == request_span.context.span_id
    assert work_span.parent.span_id == task_span.context.span_id
    assert request_span.end_time <= marks[0]


def test_a_streamed_answer_is_counted_when_its_last_byte_leaves(signals):
    app, seen = FastAPI(), []

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines():
            for number in range(3):
                seen.append((signals.requests(), signals.series("http_requests_in_progress")))
                yield f"{number}\n"

        return StreamingResponse(lines())

    signals.instrument(app)
    answered = asyncio.run(answer(app, "GET", "/stream"))

    assert answered.text == "0\n1\n2\n"
    assert seen == [({}, {("GET",): 1})] * 3
    assert signals.requests() == {("/stream", "GET", "200"): 1}


def test_a_truncated_response_is_counted_once_and_its_span_has_the_exception(signals):
    app = FastAPI()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines():
            yield "one\n"
            raise RuntimeError("the source dried up")

        return StreamingResponse(lines())

    signals.instrument(app)
    asyncio.run(answer(app, "GET", "/stream"))

    assert signals.requests() == {("/stream", "GET", "500"): 1}
    assert signals.series("http_requests_in_progress") == {("GET",): 0}
    assert signals.span().status.status_code is StatusCode.ERROR
    assert signals.span().attributes["error.type"] == "RuntimeError"


def test_a_request_that_is_cancelled_is_counted_as_an_error(signals):
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    signals.instrument(app)

    async def give_up():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await answer(app, "GET", "/slow")

    asyncio.run(give_up())

    assert signals.requests() == {("/slow", "GET", "500"): 1}
    assert signals.series("http_requests_in_progress") == {("GET",): 0}
    assert signals.span().status.status_code is StatusCode.ERROR


def test_a_file_that_the_server_sends_by_itself_ends_the_answer(signals):
    app, seen = FastAPI(), []

    async def sends_a_path(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/etc/hostname"})
        seen.append(signals.requests())

    app.mount("/files", sends_a_path)
    signals.instrument(app)
    scope = {"type": "http", "method": "GET", "path": "/files/x", "headers": [], "query_string": b""}

    async def sent(_message): ...

    asyncio.run(app(scope, None, sent))

    assert seen == [{("/files/{path}", "GET", "200"): 1}]


def test_requests_that_run_at_once_are_in_progress_and_no_longer_when_they_have_ended(signals):
    app = FastAPI()

    async def flood():
        everybody, go = asyncio.Barrier(9), asyncio.Event()

        @app.api_route("/wait", methods=["GET", "POST"])
        async def wait() -> None:
            await everybody.wait()
            await go.wait()

        signals.instrument(app)
        asking = [asyncio.create_task(answer(app, method, "/wait")) for method in ["GET"] * 5 + ["POST"] * 3]
        await asyncio.wait_for(everybody.wait(), 10)
        busy = signals.series("http_requests_in_progress")
        go.set()
        await asyncio.wait_for(asyncio.gather(*asking), 10)
        return busy

    busy = asyncio.run(flood())

    assert busy == {("GET",): 5, ("POST",): 3}
    assert signals.series("http_requests_in_progress") == {("GET",): 0, ("POST",): 0}
    assert signals.requests() == {("/wait", "GET", "200"): 5, ("/wait", "POST", "200"): 3}


def test_a_span_has_the_attributes_of_request_and_response(ask, signals):
    ask("GET", "/items/1?token=secret", **BROWSER)

    span = signals.span()
    assert span.name == "GET /items/{number}"
    assert span.kind is SpanKind.SERVER
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "url.path": "/items/1",
        "url.query": "token=secret",  # redacted when it is exported
        "client.address": "127.0.0.1",
        "server.address": "service",
        "server.port": 80,
        "url.scheme": "http",
        "http.route": "/items/{number}",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "user_agent.original": "tests/1.0",
    }


def test_a_span_of_no_route_is_named_by_its_method(ask, signals):
    ask("GET", "/nowhere")

    assert signals.span().name == "GET"
    assert signals.span().status.status_code is StatusCode.UNSET


def test_a_crash_is_in_the_span_with_its_exception(ask, signals):
    ask("GET", "/crash")

    span = signals.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "RuntimeError: no such luck"
    assert span.attributes["error.type"] == "500"  # as in the duration, which is recorded before the exception is known
    assert span.attributes["http.response.status_code"] == HTTPStatus.INTERNAL_SERVER_ERROR
    [event] = span.events
    assert event.attributes["exception.message"] == "no such luck"


def test_the_callers_span_is_the_parent(ask, signals):
    ask("GET", "/items/1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

    span = signals.span()
    assert trace.format_trace_id(span.context.trace_id) == "0af7651916cd43dd8448eb211c80319c"
    assert trace.format_span_id(span.parent.span_id) == "b7ad6b7169203331"
    assert span.parent.is_remote


@pytest.mark.parametrize("said", ["", "nonsense", "00-0-0-0", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_an_invalid_traceparent_is_ignored(ask, signals, said):
    answered = ask("GET", "/items/1", traceparent=said)

    assert answered.status_code == 200
    assert signals.span().parent is None


def test_a_propagator_may_ask_which_headers_there_are():
    scope = {"headers": [(b"traceparent", b"00-1"), (b"x-b3-traceid", b"1"), (b"x-b3-traceid", b"2")]}

    assert HEADER_GETTER.keys(scope) == ["traceparent", "x-b3-traceid", "x-b3-traceid"]
    assert HEADER_GETTER.get(scope, "X-B3-TraceId") == ["1", "2"]
    assert HEADER_GETTER.get(scope, "tracestate") is None


def test_what_the_server_happens_to_run_in_is_no_parent(app, signals):
    with signals.tracer.start_as_current_span("an earlier request"):
        asyncio.run(answer(app, "GET", "/items/1"))

    request, _earlier = signals.spans
    assert request.parent is None


def test_a_path_that_is_not_traced_is_counted(ask, signals):
    ask("GET", "/health")

    assert signals.spans == []
    assert signals.requests() == {("/health", "GET", "200"): 1}


def test_a_path_that_begins_like_one_that_is_not_traced_is_traced(ask, signals):
    ask("GET", "/health/x")

    assert len(signals.spans) == 1


@pytest.mark.parametrize("path", ["/trace/sync", "/atrace"])
def test_the_span_is_current_in_the_route(ask, signals, path):
    said = ask("GET", path).json()

    assert said == trace.format_trace_id(signals.span().context.trace_id)


def test_after_a_request_nothing_is_current(app, signals):
    async def both():
        await answer(app, "GET", "/items/1")
        return trace.get_current_span()

    assert asyncio.run(both()) is trace.INVALID_SPAN


def test_a_websocket_goes_through_uncounted(signals):
    app, sent = FastAPI(), []
    signals.instrument(app)

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    asyncio.run(app({"type": "websocket", "path": "/none", "headers": [], "query_string": b""}, receive, send))

    assert sent == ["websocket.close"]
    assert signals.requests() == {}


def test_an_application_is_instrumented_once(app, signals, ask):
    signals.instrument(app)

    ask("GET", "/items/1")

    assert signals.requests() == {("/items/{number}", "GET", "200"): 1}
    assert len(signals.spans) == 1


def test_an_application_that_has_no_telemetry_of_its_own_can_be_instrumented(signals):
    app = FastAPI()
    del app._telemetry  # as in FastAPI before it had one

    signals.instrument(app)

    assert app._is_instrumented_by_opentelemetry


def test_an_application_can_be_instrumented_in_its_lifespan(signals, serve):
    @asynccontextmanager
    async def lifespan(app):
        signals.instrument(app)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/items")
    def items() -> str:
        return "none"

    with serve(app) as url:
        httpx.get(f"{url}/items", trust_env=False)

    assert signals.requests() == {("/items", "GET", "200"): 1}


class Broken:
    """A tracer, a meter and its instruments whose every call fails."""

    def __init__(self, works=()):
        self.works = works

    def __call__(self, *_arguments, **_named):
        raise RuntimeError("no space left")

    def __getattr__(self, name):
        return lambda *_arguments, **_named: Broken() if name in self.works else self()


class BrokenTracers(TracerProvider):
    def get_tracer(self, *_arguments, **_named):
        return Broken()


class BrokenMeters(MeterProvider):
    def get_meter(self, *_arguments, **_named):
        return Broken(["create_histogram", "create_up_down_counter", "create_observable_up_down_counter"])


@pytest.mark.parametrize(
    "broken",
    [lambda: {"meter_provider": BrokenMeters()}, lambda: {"tracer_provider": BrokenTracers()}],
    ids=["meters", "tracers"],
)
def test_failing_telemetry_does_not_affect_the_response_and_is_logged(signals, tmp_path, caplog, monkeypatch, broken):
    monkeypatch.setattr(failsafe, "_warned", set())
    app = build(signals, static=tmp_path, **broken())

    answers = [asyncio.run(answer(app, "GET", path)).status_code for path in ("/items/1", "/items/1", "/crash")]

    assert answers == [200, 200, 500]
    assert {record.name for record in caplog.records} == {"telemetry.failsafe"}
    assert len(caplog.records) == 1


def test_routes_that_cannot_be_looked_up_do_not_keep_a_request_from_being_counted(signals, monkeypatch):
    class Odd(BaseRoute):
        def __init__(self):
            self.asked = 0

        def matches(self, scope):
            self.asked += 1
            if self.asked > 1:
                raise RuntimeError("ask me once")
            return Match.FULL, {"endpoint": plain}

        async def handle(self, scope, receive, send):
            await plain(None)(scope, receive, send)

    monkeypatch.setattr(failsafe, "_warned", set())
    app = FastAPI(openapi_url=None)
    app.router.routes.append(Odd())
    signals.instrument(app)

    assert asyncio.run(answer(app, "GET", "/odd")).status_code == 200

    assert signals.requests() == {("unmatched", "GET", "200"): 1}


def test_a_real_server_counts_what_its_clients_count(app, signals, serve):
    asked = [("GET", "/items/1"), ("GET", "/items/x"), ("GET", "/none"), ("GET", "/crash"), ("HEAD", "/docs")] * 4
    counted: dict[tuple[str, str], int] = {}

    with serve(app) as url, httpx.Client(base_url=url, trust_env=False, limits=ONE_REQUEST_A_CONNECTION) as client:
        for method, path in asked:
            status = str(client.request(method, path).status_code)
            counted[method, status] = counted.get((method, status), 0) + 1

    seen: dict[tuple[str, str], int] = {}
    for (_endpoint, method, status), number in signals.requests().items():
        seen[method, status] = seen.get((method, status), 0) + number
    assert seen == counted
    assert len(signals.spans) == len(asked)


def test_a_request_is_counted_when_its_answer_has_arrived(app, signals, serve):
    with serve(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        for number in range(1, 21):
            client.get("/items/1")
            assert signals.requests() == {("/items/{number}", "GET", "200"): number}


def test_requests_that_wait_in_one_connection_are_traces_of_their_own(app, signals, serve):
    with serve(app) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            request = b"GET /items/1 HTTP/1.1\r\nhost: service\r\n\r\n"
            last = b"GET /items/1 HTTP/1.1\r\nhost: service\r\nconnection: close\r\n\r\n"
            connection.sendall(request * 3 + last)
            while connection.recv(65536):
                pass

    assert len({span.context.trace_id for span in signals.spans}) == 4
    assert [span.parent for span in signals.spans] == [None] * 4


def test_a_client_that_leaves_is_counted_and_no_longer_in_progress(signals, serve):
    app, ended = FastAPI(), threading.Event()

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def for_ever():
            try:
                while True:
                    yield b"x" * 65536
                    await asyncio.sleep(0)
            finally:
                ended.set()

        return StreamingResponse(for_ever())

    signals.instrument(app)

    with serve(app) as url:
        with httpx.stream("GET", f"{url}/stream", trust_env=False) as answered:
            next(answered.iter_bytes())
        assert ended.wait(10)

    assert signals.requests() == {("/stream", "GET", "499"): 1}
    assert signals.series("http_requests_in_progress") == {("GET",): 0}
