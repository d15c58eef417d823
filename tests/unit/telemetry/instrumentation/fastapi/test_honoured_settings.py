"""What the published package can be told, ours does as well: the same requests side by side."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_HTTP_INSTRUMENTATION_KEY
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as PublishedInstrumentor
from opentelemetry.instrumentation.propagators import (
    TraceResponsePropagator,
    get_global_response_propagator,
    set_global_response_propagator,
)
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind
from opentelemetry.util.http import get_excluded_urls
from starlette.testclient import TestClient

from telemetry.instrumentation.fastapi import FastAPIInstrumentor

REQUEST = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST"
RESPONSE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE"
SANITIZE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"
HEADERS = [
    ("x-one", "1"),
    ("X-Two", "a"),
    ("x-two", "b"),
    ("x-session-id", "s3cret"),
    ("authorization", "Bearer t0ken"),
    ("x-umlaut", "Müller".encode()),
]


class Side:
    """An application that one of the two instruments, and what came out."""

    def __init__(self, instrumentor, sampler=ALWAYS_ON, **options):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.app = application()
        self.instrumentor = instrumentor
        instrumentor.instrument_app(
            self.app, tracer_provider=self.tracers, meter_provider=self.meters, **{"exclude_spans": None, **options}
        )

    def ask(self, method="GET", path="/items/1", headers=HEADERS):
        async def asking():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service:8080") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(asking())

    @property
    def spans(self):
        return list(self.exporter.get_finished_spans())

    def servers(self):
        return [span for span in self.spans if span.kind is SpanKind.SERVER]

    def captured(self):
        """The headers in the spans of requests."""
        return [
            {name: tuple(value) for name, value in sorted(span.attributes.items()) if ".header." in name}
            for span in self.servers()
        ]

    def counted(self):
        data = self.reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return {
            (point.attributes["http.request.method"], point.attributes.get("http.route")): point.count
            for metric in metrics
            if metric.name == "http.server.request.duration"
            for point in metric.data.data_points
        }


def application():
    app = FastAPI()

    @app.get("/items/{number}")
    def read_item(number: int) -> PlainTextResponse:
        headers = {"x-made": "yes", "x-session-token": "s3cret", "set-cookie": "a=b"}
        return PlainTextResponse("x", headers=headers)

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("no such luck")

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    return app


@pytest.fixture
def both():
    """Both sides with the same settings: the published package alone, and ours."""
    made = []

    def make(**options):
        made.extend(Side(instrumentor, **options) for instrumentor in (PublishedInstrumentor, FastAPIInstrumentor))
        return made[-2:]

    yield make
    for side in made:
        side.instrumentor.uninstrument_app(side.app)
        side.tracers.shutdown()
        side.meters.shutdown()


@pytest.mark.parametrize(
    "excluded", ["health", "/items/.*", "service:8080/health", "^http://service:8080/items/1$,crash", "HEALTH", "", " "]
)
@pytest.mark.parametrize("how", ["OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS", "argument"])
def test_excluded_urls_are_neither_traced_nor_counted(both, monkeypatch, excluded, how):
    if how != "argument":
        monkeypatch.setenv(how, excluded)
        # The published package reads the variables once, when it is imported.
        monkeypatch.setattr(
            "opentelemetry.instrumentation.fastapi._excluded_urls_from_env", get_excluded_urls("FASTAPI")
        )
    published, ours = both(excluded_urls=excluded if how == "argument" else None)

    for side in (published, ours):
        for path in ("/health", "/items/1", "/items/2?x=health", "/crash"):
            side.ask(path=path)

    assert [span.name for span in ours.servers()] == [span.name for span in published.servers()]
    assert ours.counted() == published.counted()


def test_the_variable_for_fastapi_wins_over_that_for_all(both, monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "health")
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "items")
    _, ours = both()

    ours.ask(path="/health")
    ours.ask(path="/items/1")

    assert ours.counted() == {("GET", "/items/{number}"): 1}


CAPTURES = [
    {REQUEST: "x-one"},
    {REQUEST: "X-ONE, x-two"},
    {REQUEST: "x-.*"},
    {REQUEST: ".*", SANITIZE: ".*session.*,authorization"},
    {RESPONSE: "x-made,content-type"},
    {RESPONSE: ".*", SANITIZE: "set-cookie,.*session.*"},
    {REQUEST: "nothing-such", RESPONSE: "nothing-such"},
    {REQUEST: "x-one", RESPONSE: "x-made", SANITIZE: "x-.*"},
    {REQUEST: "x-umlaut"},
    {SANITIZE: ".*"},
]


@pytest.mark.parametrize("variables", CAPTURES, ids=str)
def test_headers_are_captured_and_sanitized(both, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    published, ours = both()

    for side in (published, ours):
        for path in ("/items/1", "/items/x", "/none", "/crash"):
            side.ask(path=path)

    assert ours.captured() == published.captured()
    assert len(ours.captured()) == 4


def test_headers_are_captured_by_arguments(both):
    published, ours = both(
        http_capture_headers_server_request=["x-one", "authorization"],
        http_capture_headers_server_response=["x-made"],
        http_capture_headers_sanitize_fields=["authorization"],
    )

    for side in (published, ours):
        side.ask()

    assert ours.captured() == published.captured()
    assert ours.captured()[0]["http.request.header.authorization"] == ("[REDACTED]",)


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@pytest.mark.parametrize("fails", [False, True])
def test_the_hook_of_requests_is_called_with_the_span_and_the_scope(both, sampler, fails):
    calls = []

    def hook(span, scope):
        calls.append((span.is_recording(), scope["path"], scope["method"]))
        span.set_attribute("hooked", "yes")
        if fails:
            raise RuntimeError("a hook fails")

    published, ours = both(server_request_hook=hook, sampler=sampler)

    answers = [[side.ask(path=path).status_code for path in ("/items/1", "/crash")] for side in (published, ours)]

    assert calls[:2] == calls[2:]
    assert answers[0] == answers[1]
    assert [span.attributes["hooked"] for span in ours.servers()] == [
        span.attributes["hooked"] for span in published.servers()
    ]
    assert [[e.attributes["exception.message"] for e in span.events] for span in ours.servers()] == [
        [e.attributes["exception.message"] for e in span.events] for span in published.servers()
    ]


def test_hooks_of_messages_are_called_with_their_spans(both):
    calls = []

    def hook(span, _scope, message):
        calls.append((span.name, message["type"]))

    published, ours = both(client_request_hook=hook, client_response_hook=hook)

    for side in (published, ours):
        side.ask()
        calls.append(None)

    end = calls.index(None)
    assert calls[:end] == calls[end + 1 : -1] != []
    assert [span.name for span in ours.spans] == [span.name for span in published.spans]


@pytest.mark.parametrize("excluded", [[], ["send"], ["receive"], ["receive", "send"]])
def test_messages_have_the_spans_that_are_asked_for(both, excluded):
    published, ours = both(exclude_spans=excluded)

    for side in (published, ours):
        side.ask(method="POST")

    assert sorted(span.name for span in ours.spans) == sorted(span.name for span in published.spans)
    assert ours.counted() == published.counted()


def test_without_a_word_messages_have_no_spans(both):
    _, ours = both()

    ours.ask()

    assert [span.name for span in ours.spans] == ["GET /items/{number}"]


@pytest.fixture
def propagating():
    before = get_global_response_propagator()
    set_global_response_propagator(TraceResponsePropagator())
    yield
    set_global_response_propagator(before)


@pytest.mark.parametrize("path", ["/items/1", "/none", "/crash"])
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@pytest.mark.usefixtures("propagating")
def test_a_propagator_for_responses_adds_its_headers(both, path, sampler):
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    published, ours = both(sampler=sampler)

    theirs, mine = (side.ask(path=path, headers={"traceparent": caller}).headers for side in (published, ours))

    def without_span_id(headers):
        version, trace_id, _, flags = headers["traceresponse"].split("-")
        return version, trace_id, flags

    assert without_span_id(mine) == without_span_id(theirs)
    assert mine["access-control-expose-headers"] == theirs["access-control-expose-headers"]
    assert mine.keys() == theirs.keys()
    if ours.spans:
        assert mine["traceresponse"].split("-")[2] == f"{ours.servers()[0].context.span_id:016x}"


@pytest.mark.parametrize("suppress", [suppress_instrumentation, suppress_http_instrumentation])
def test_a_suppressed_request_is_neither_traced_nor_counted(both, suppress):
    published, ours = both()

    with suppress():
        answers = [side.ask(path=path).status_code for side in (published, ours) for path in ("/items/1", "/crash")]

    assert answers == [200, 500] * 2
    assert (ours.spans, ours.counted()) == (published.spans, published.counted()) == ([], {})


def test_a_context_that_suppresses_nothing_changes_nothing(both):
    _, ours = both()
    token = otel_context.attach(otel_context.set_value(_SUPPRESS_HTTP_INSTRUMENTATION_KEY, value=False))

    ours.ask()
    otel_context.detach(token)

    assert ours.counted() == {("GET", "/items/{number}"): 1}


def test_a_websocket_has_the_published_span(both):
    sides = both(exclude_spans=["receive", "send"])

    for side in sides:
        with TestClient(side.app).websocket_connect("/socket") as socket:
            assert socket.receive_text() == "hello"

    published, ours = ([(span.name, span.kind) for span in side.spans] for side in sides)
    assert ours == published
    assert [kind for _, kind in ours] == [SpanKind.SERVER]


def test_an_application_that_is_uninstrumented_is_as_it_was(both):
    sides = both()
    for side in sides:
        side.instrumentor.uninstrument_app(side.app)

    assert [side.ask().status_code for side in sides] == [200, 200]
    assert [side.spans for side in sides] == [[], []]
    assert [side.counted() for side in sides] == [{}, {}]
    published, ours = (side.app for side in sides)
    assert type(ours.middleware_stack) is type(published.middleware_stack)
    assert ours._telemetry == published._telemetry


def test_an_application_can_be_instrumented_again(both):
    """The published package instruments it only if it has not served yet, and never again."""
    _, ours = both()
    for _ in range(3):
        ours.instrumentor.uninstrument_app(ours.app)
        ours.instrumentor.instrument_app(ours.app, tracer_provider=ours.tracers, meter_provider=ours.meters)

    ours.ask()

    assert ours.counted() == {("GET", "/items/{number}"): 1}


def test_uninstrumenting_an_application_that_is_not_instrumented_changes_nothing():
    app = application()

    FastAPIInstrumentor.uninstrument_app(app)

    assert TestClient(app).get("/items/1").status_code == 200


KNOWN = [
    ("GET,REPORT", {"GET": "GET", "REPORT": "REPORT", "POST": "_OTHER"}),
    (" REPORT , QUERY ", {"GET": "_OTHER", "REPORT": "REPORT", "QUERY": "QUERY"}),
    ("get", {"GET": "_OTHER"}),
    ("", {"GET": "GET", "REPORT": "_OTHER"}),
    (",", {"GET": "GET", "REPORT": "_OTHER"}),
]


@pytest.mark.parametrize(("variable", "methods"), KNOWN)
def test_the_variable_says_which_methods_are_known(both, monkeypatch, variable, methods):
    """As OpenTelemetry's conventions have it. (The published package does not know this variable.)"""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", variable)
    _, ours = both()

    for method in methods:
        ours.ask(method=method, path="/none")

    assert {method for method, _ in ours.counted()} == set(methods.values())
    assert [span.attributes["http.request.method"] for span in ours.spans] == list(methods.values())
