"""However an application came to be instrumented, and wherever it is mounted, one request counts once."""

import asyncio
import logging
import sys

import fastapi
import httpx
import pytest
from fastapi import BackgroundTasks, FastAPI
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as PublishedInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Mount

from telemetry.instrumentation.fastapi import FastAPIInstrumentor, published
from telemetry.instrumentation.fastapi.server_middleware import HTTPServerMiddleware


def application(**options):
    app = FastAPI(**options)
    app.add_api_route("/users/{name}", lambda name: name)
    return app


def ask(app, path="/users/ann", **scope):
    async def asking():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, **scope)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path)

    return asyncio.run(asking())


@pytest.fixture
def others():
    """The providers of somebody else."""
    providers = {
        "tracer_provider": TracerProvider(shutdown_on_exit=False),
        "meter_provider": MeterProvider(shutdown_on_exit=False),
    }
    yield providers
    for provider in providers.values():
        provider.shutdown()


def mounted(inner, at="/admin"):
    outer = application()
    outer.mount(at, inner)
    return outer


ORDERS = ["outer, inner", "inner, outer", "outer", "outer twice, inner twice"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_mounted_application_counts_once(signals, order):
    inner = application()
    outer = mounted(inner)
    by_name = {"outer": outer, "inner": inner}
    for name in order.replace(" twice", "").split(", ") * (2 if "twice" in order else 1):
        signals.instrument(by_name[name])

    assert ask(outer, "/admin/users/ann").status_code == 200

    assert signals.requests() == {("/admin/users/{name}", "GET", "200"): 1}
    assert [span.name for span in signals.spans] == ["GET /admin/users/{name}"]
    assert signals.series("http_requests_in_progress") == {("GET",): 0}


def test_three_applications_in_each_other_count_once(signals):
    inmost = application()
    middle = mounted(inmost, "/b")
    outer = mounted(middle, "/a")
    for app in (inmost, middle, outer):
        signals.instrument(app)

    ask(outer, "/a/b/users/ann")
    ask(outer, "/a/users/ann")
    ask(outer)

    assert signals.requests() == {
        ("/a/b/users/{name}", "GET", "200"): 1,
        ("/a/users/{name}", "GET", "200"): 1,
        ("/users/{name}", "GET", "200"): 1,
    }
    assert len(signals.spans) == 3


@pytest.mark.parametrize("around", ["starlette", "fastapi"])
def test_a_mounted_application_alone_counts_once(signals, around):
    inner = application()
    outer = Starlette(routes=[Mount("/admin", inner)]) if around == "starlette" else mounted(inner)
    signals.instrument(inner)

    ask(outer, "/admin/users/ann")

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}
    assert len(signals.spans) == 1


def test_what_fastapi_measures_around_an_application_with_the_same_provider_is_not_measured_again(signals, monkeypatch):
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: signals.meters)
    inner = application()
    outer = application(telemetry={"meter_provider": signals.meters, "tracer_provider": signals.tracers})
    outer.mount("/admin", inner)
    signals.instrument(inner)

    ask(outer, "/admin/users/ann")

    assert signals.requests() == {("/admin/users/{name}", "GET", "200"): 1}


def test_what_fastapi_measures_elsewhere_is_measured(signals, others):
    inner = application()
    outer = application(telemetry=others)
    outer.mount("/admin", inner)
    signals.instrument(inner)

    ask(outer, "/admin/users/ann")

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}


def test_a_request_that_a_route_sends_to_its_own_application_counts_as_another(signals):
    app = application()

    @app.get("/outer")
    async def outer() -> str:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return (await client.get("/users/ann")).text

    signals.instrument(app)
    ask(app, "/outer")

    assert signals.requests() == {("/outer", "GET", "200"): 1, ("/users/{name}", "GET", "200"): 1}


def test_a_scope_that_is_used_twice_counts_twice(signals):
    app, scope = application(), {"type": "http", "method": "GET", "path": "/none", "headers": [], "query_string": b""}
    signals.instrument(app)

    async def send(_message): ...

    for _ in range(2):
        asyncio.run(app(dict(scope), None, send))
        asyncio.run(app(scope, None, send))

    assert signals.requests() == {("unmatched", "GET", "404"): 4}


def test_an_application_that_the_published_package_has_instrumented_is_measured_here(signals, others):
    hooked = []
    app = application()
    PublishedInstrumentor.instrument_app(
        app,
        server_request_hook=lambda _span, scope: hooked.append(scope["path"]),
        excluded_urls="/users/bob",
        http_capture_headers_server_request=["user-agent"],
        **others,
    )

    signals.instrument(app)
    ask(app)
    ask(app, "/users/bob")

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}
    assert hooked == ["/users/ann"]
    assert "http.request.header.user_agent" in signals.span().attributes


def test_an_argument_wins_over_what_an_application_was_instrumented_with(signals, others):
    app = application()
    PublishedInstrumentor.instrument_app(app, excluded_urls="/users/ann", **others)

    signals.instrument(app, excluded_urls="/users/bob")
    ask(app)
    ask(app, "/users/bob")

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}


def test_an_application_in_use_that_the_published_package_has_instrumented_is_measured_here(signals, others):
    app = application()
    PublishedInstrumentor.instrument_app(app, **others)
    ask(app)

    signals.instrument(app)
    ask(app)

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}


def test_a_middleware_can_be_added_after_an_application_was_taken_over(signals, others):
    app = application()
    PublishedInstrumentor.instrument_app(app, **others)
    signals.instrument(app)

    app.add_middleware(ServerErrorMiddleware)
    ask(app)

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}


def test_a_mounted_application_that_the_published_package_has_instrumented_counts_once(signals):
    providers = {"tracer_provider": signals.tracers, "meter_provider": signals.meters}
    inner = application()
    PublishedInstrumentor.instrument_app(inner, **providers)
    outer = mounted(inner)
    signals.instrument(outer)

    ask(outer, "/admin/users/ann")

    assert signals.requests() == {("/admin/users/{name}", "GET", "200"): 1}
    assert [span.name for span in signals.spans] == ["GET /admin/users/{name}"]


def test_with_new_providers_an_application_is_measured_by_these(signals, others):
    app = application()
    FastAPIInstrumentor.instrument_app(app, **others)
    ask(app)

    signals.instrument(app)
    ask(app)

    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}


def test_background_tasks_are_traced_by_the_newest_providers(signals, others):
    FastAPIInstrumentor.instrument_app(application(), **others)
    app = FastAPI()

    @app.get("/later")
    def later(tasks: BackgroundTasks) -> None:
        tasks.add_task(application)

    signals.instrument(app)
    ask(app, "/later")

    assert {span.name for span in signals.spans} == {"GET /later", "BackgroundTask application"}


@pytest.fixture
def automatic(signals):
    instrumentor = FastAPIInstrumentor()
    instrumentor.instrument(tracer_provider=signals.tracers, meter_provider=signals.meters)
    yield
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


@pytest.mark.usefixtures("automatic")
def test_on_the_automatic_path_each_application_is_measured_when_it_is_made(signals):
    app = fastapi.FastAPI()
    app.add_api_route("/users/{name}", lambda name: name)
    app.mount("/admin", fastapi.FastAPI())

    for _ in range(2):
        ask(app)

    assert signals.requests() == {("/users/{name}", "GET", "200"): 2}
    assert isinstance(app, FastAPI)


@pytest.mark.usefixtures("automatic")
def test_on_the_automatic_path_fastapi_is_told_by_its_argument_to_measure_nothing():
    app = fastapi.FastAPI(telemetry={"operation_spans": False})

    assert not app._native_telemetry.enabled()
    assert app._telemetry["operation_spans"] is False


def test_the_automatic_path_is_left_again(signals):
    before = fastapi.FastAPI
    FastAPIInstrumentor().instrument(tracer_provider=signals.tracers, meter_provider=signals.meters)
    app = fastapi.FastAPI()

    FastAPIInstrumentor().uninstrument()
    ask(app)

    assert fastapi.FastAPI is before
    assert signals.requests() == {}


def test_ours_and_the_published_instrumentor_are_two():
    assert FastAPIInstrumentor() is not PublishedInstrumentor()
    assert FastAPIInstrumentor() is FastAPIInstrumentor()


def test_what_somebody_put_around_the_whole_application_is_measured(signals):
    """As the service's own middleware, which answers for the application's handler of crashes as well."""
    app, seen = application(), []
    build = app.build_middleware_stack

    class Around:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            seen.append(trace.get_current_span().get_span_context().is_valid)
            await self.app(scope, receive, send)

    app.build_middleware_stack = lambda: Around(build())
    app.add_api_route("/crash", lambda: 1 / 0)
    signals.instrument(app)

    answers = [ask(app, path).status_code for path in ("/users/ann", "/none", "/crash")]

    assert answers == [200, 404, 500]
    assert seen == [True] * 3
    assert len(signals.requests()) == 3
    assert len(signals.spans[-1].events) == 1


class OtherShape:
    """A middleware of another version of the published package."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def test_a_middleware_that_is_not_found_serves_and_one_warning_says_so(signals, monkeypatch, caplog):
    monkeypatch.setattr(
        "opentelemetry.instrumentation.fastapi.OpenTelemetryMiddleware", lambda app, **_: OtherShape(app)
    )
    monkeypatch.setattr("telemetry.instrumentation.fastapi.instrumentor._warned", set())
    apps = [application(), application()]

    for app in apps:
        signals.instrument(app)
        assert ask(app).status_code == 200

    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "its middleware is not in the stack of the application" in warning.getMessage()
    assert "is not in the stack" in FastAPIInstrumentor.complaint(apps[0])
    assert not isinstance(apps[0].middleware_stack, HTTPServerMiddleware)


@pytest.mark.parametrize("missing", [name for name in published._READ if name != "app"])
def test_a_middleware_without_an_attribute_that_is_read_counts_by_itself(signals, monkeypatch, caplog, missing):
    class Renamed(published.OpenTelemetryMiddleware):
        """Has the attribute for its own methods only."""

        def __getattribute__(self, name):
            if name == missing and sys._getframe(1).f_code.co_filename == published.__file__:
                raise AttributeError(name)
            return super().__getattribute__(name)

    monkeypatch.setattr("opentelemetry.instrumentation.fastapi.OpenTelemetryMiddleware", Renamed)
    monkeypatch.setattr("telemetry.instrumentation.fastapi.instrumentor._warned", set())
    app = application()
    signals.instrument(app)

    assert ask(app).status_code == 200
    assert signals.requests() == {("/users/{name}", "GET", "200"): 1}
    assert FastAPIInstrumentor.complaint(app) == f"its middleware has no {missing}"
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_an_application_that_ours_measures_has_nothing_to_complain_of(signals):
    app = application()
    before = FastAPIInstrumentor.complaint(app)
    signals.instrument(app)
    ask(app)

    assert (before, FastAPIInstrumentor.complaint(app)) == ("it is not instrumented", "")
