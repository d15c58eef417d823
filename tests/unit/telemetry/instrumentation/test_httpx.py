import asyncio
import contextlib
import gc
import http.server
import os
import socket
import sys
import threading

import anyio
import httpx
import httpx2
import pytest
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from telemetry import semconv
from telemetry.instrumentation.client_request import ClientRequest
from telemetry.instrumentation.external_services import ExternalService, ServiceDirectory
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries

TOKEN = "123456:AAE-secret"
ENDPOINTS = ("/ok", "/boom", "/gone", "/slow", "/drip", "/cut", "/chunks", "/moved", "/garbled", "/bot{token}/getMe")
TIMEOUT = 0.2


class ExternalServer(http.server.ThreadingHTTPServer):
    """An external service on loopback."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Page(http.server.BaseHTTPRequestHandler):
    server: ExternalServer
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        pages = (self.boom, self.gone, self.slow, self.drip, self.cut, self.chunks, self.moved, self.garbled)
        {f"/{page.__name__}": page for page in pages}.get(self.path, self.ok)()

    do_HEAD = do_GET  # noqa: N815  # the names that http.server looks for

    def answer(self, status, body=b"fine", **headers):
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), "connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def ok(self):
        self.answer(200)

    def boom(self):
        self.answer(500, b"no")

    def gone(self):
        self.answer(404, b"no")

    def moved(self):
        self.answer(302, b"", location="/ok")

    def garbled(self):
        self.answer(200, b"this is not gzip", **{"content-encoding": "gzip"})

    def cut(self):
        self.answer(200, b"only this", **{"content-length": "1000"})

    def chunks(self):
        self.answer(200, b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", **{"transfer-encoding": "chunked", "content-length": ""})

    def slow(self):
        """No response."""
        self.server.released.wait(10)

    def drip(self):
        """A response that starts and does not end."""
        self.answer(200, b"drop", **{"content-length": "1000"})
        self.server.released.wait(10)

    def log_message(self, *_arguments):
        """Log nothing."""

    def send_header(self, keyword, value):
        if value:
            super().send_header(keyword, value)


@pytest.fixture(scope="module")
def server():
    with ExternalServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(5)


@pytest.fixture
def directory(server):
    return ServiceDirectory([ExternalService("wb", server.url, ENDPOINTS)])


@pytest.fixture
def measured(signals, directory):
    """Our instrumentation only."""
    HTTPClientInstrumentor().instrument(duration=signals.instruments.http_client_duration, directory=directory)
    return signals


@pytest.fixture
def instrumented(signals, directory):
    """All instrumentation of the libraries, the published packages included."""
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)
    return signals


class Sync:
    def __init__(self, library):
        self.library = library

    def call(self, url, method="GET", timeout=10, **options):
        with self.library.Client(trust_env=False, timeout=timeout, **options) as client:
            return client.request(method, url)

    def read_a_bit(self, url):
        with self.library.Client(trust_env=False) as client, client.stream("GET", url) as response:
            return next(response.iter_raw(1))


class Async:
    def __init__(self, library):
        self.library = library

    def call(self, url, method="GET", timeout=10, **options):
        async def calling():
            async with self.library.AsyncClient(trust_env=False, timeout=timeout, **options) as client:
                return await client.request(method, url)

        return asyncio.run(calling())

    def read_a_bit(self, url):
        async def reading():
            async with self.library.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
                return await anext(aiter(response.aiter_raw(1)))

        return asyncio.run(reading())


@pytest.fixture(
    params=[Sync(httpx), Async(httpx), Sync(httpx2), Async(httpx2)],
    ids=["httpx", "httpx async", "httpx2", "httpx2 async"],
)
def client(request):
    return request.param


def calls(signals):
    """`(endpoint, service, status)` and how many there were."""
    return signals.series("external_api_requests_total")


def points(signals):
    """The attributes of the durations, as they go out by OTLP."""
    return [dict(key) for key in signals.instruments.http_client_duration._sets._seen]


@pytest.fixture
def refused_port():
    """A port without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(("path", "status"), [("/ok", "200"), ("/boom", "500"), ("/chunks", "200"), ("/moved", "302")])
def test_a_request_with_a_response_is_counted_by_service_endpoint_and_code(measured, server, client, path, status):
    client.call(server.url + path)

    assert calls(measured) == {(path, "wb", status): 1}
    assert measured.series("external_api_duration_seconds_count") == {("wb",): 1}


def test_a_refused_connection_is_an_error(signals, client, refused_port):
    directory = ServiceDirectory([ExternalService("ozon", f"http://127.0.0.1:{refused_port}", ("/v1/roles",))])
    HTTPClientInstrumentor().instrument(duration=signals.instruments.http_client_duration, directory=directory)

    with pytest.raises(client.library.ConnectError):
        client.call(f"http://127.0.0.1:{refused_port}/v1/roles")

    assert calls(signals) == {("/v1/roles", "ozon", "error"): 1}


def test_a_request_without_a_response_in_time_is_a_timeout(measured, server, client):
    with pytest.raises(client.library.ReadTimeout):
        client.call(server.url + "/slow", timeout=TIMEOUT)

    assert calls(measured) == {("/slow", "wb", "timeout"): 1}
    assert measured.series("external_api_duration_seconds_sum")["wb",] >= TIMEOUT


def test_a_truncated_response_is_an_error_and_counted_once(measured, server, client):
    with pytest.raises(client.library.RemoteProtocolError):
        client.call(server.url + "/cut")

    assert calls(measured) == {("/cut", "wb", "error"): 1}


def test_a_partly_read_response_is_a_response(measured, server, client):
    assert client.read_a_bit(server.url + "/ok") == b"f"

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_a_request_ends_when_its_response_has_been_read(measured, server):
    with httpx.stream("GET", server.url + "/ok", trust_env=False) as response:
        before = calls(measured)
        response.read()
        after = calls(measured)

    assert (before, after) == ({}, {("/ok", "wb", "200"): 1})
    assert calls(measured) == after


async def with_asyncio(call):
    async with asyncio.timeout(0.05):
        await call()


async def with_asyncio_and_cleanup(call):
    async def slow_to_end():
        try:
            await call()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)

    await with_asyncio(slow_to_end)


async def with_wait_for(call):
    await asyncio.wait_for(call(), 0.05)


async def with_wait_for_and_a_task(call):
    await asyncio.wait_for(asyncio.create_task(call()), 0.05)


async def with_wait_for_in_wait_for(call):
    await asyncio.wait_for(asyncio.wait_for(call(), 60), 0.05)


async def with_wait_for_in_a_timeout(call):
    async with asyncio.timeout(60):
        await asyncio.wait_for(call(), 0.05)


async def with_wait_for_of_a_cancelled_task(call):
    task = asyncio.create_task(asyncio.wait_for(call(), 60))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def with_wait_for_and_a_cancelled_call(call):
    inner = asyncio.create_task(call())
    asyncio.get_running_loop().call_later(0.05, inner.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(inner, 60)


async def with_wait_for_in_a_failed_group(call):
    async def fail():
        await asyncio.sleep(0.05)
        raise RuntimeError("another task of the group")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail())
        tasks.create_task(asyncio.wait_for(call(), 60))


async def with_anyio(call):
    with anyio.fail_after(0.05):
        await call()


async def with_anyio_moving_on(call):
    with anyio.move_on_after(0.05):
        await call()


async def with_a_task(call):
    task = asyncio.create_task(call())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def with_a_scope(call):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()


async def with_a_group(call):
    async def fail():
        await asyncio.sleep(0.05)
        raise RuntimeError("another task of the group")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail())
        await call()


CANCELLED = [
    (with_asyncio, "timeout"),
    (with_asyncio_and_cleanup, "timeout"),
    (with_wait_for, "timeout"),
    (with_wait_for_and_a_task, "timeout" if sys.version_info < (3, 12) else "error"),
    (with_wait_for_in_wait_for, "timeout"),
    (with_wait_for_in_a_timeout, "timeout"),
    (with_wait_for_of_a_cancelled_task, "error"),
    (with_wait_for_and_a_cancelled_call, "error"),
    (with_wait_for_in_a_failed_group, "error"),
    (with_anyio, "timeout"),
    (with_anyio_moving_on, "timeout"),
    (with_a_task, "error"),
    (with_a_scope, "error"),
    (with_a_group, "error"),
]


@pytest.mark.parametrize(("cancel", "status"), CANCELLED)
@pytest.mark.parametrize("path", ["/slow", "/drip"])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_cancelled_request_is_a_timeout_if_it_is_one(measured, server, path, library, cancel, status):
    async def give_up():
        async with library.AsyncClient(trust_env=False) as client:
            with contextlib.suppress(TimeoutError, ExceptionGroup):
                await cancel(lambda: client.get(server.url + path))

    asyncio.run(give_up())

    assert calls(measured) == {(path, "wb", status): 1}


def test_a_body_that_is_read_under_a_timeout_of_its_own_is_a_timeout(measured, server):
    async def give_up():
        async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", server.url + "/drip") as response:
            with anyio.move_on_after(0.05):
                await response.aread()

    asyncio.run(give_up())

    assert calls(measured) == {("/drip", "wb", "timeout"): 1}


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("closes", [False, True], ids=["never closed", "client closed before it"])
def test_a_response_that_is_dropped_is_counted_once(measured, server, library, closes):
    client = library.Client(trust_env=False)
    response = client.send(client.build_request("GET", server.url + "/ok"), stream=True)
    if closes:
        client.close()
        response.close()
    del response
    gc.collect()
    client.close()

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_a_response_that_is_read_after_its_client_was_closed_is_an_error(measured, server):
    client = httpx.Client(trust_env=False)
    with client.stream("GET", server.url + "/drip") as response:
        client.close()
        with pytest.raises(httpx.HTTPError):
            response.read()

    assert calls(measured) == {("/drip", "wb", "error"): 1}


def read(library, url):
    library.get(url, trust_env=False)


def stream(library, url):
    with library.stream("GET", url, trust_env=False) as response:
        for _ in response.iter_bytes():
            pass


def read_async(library, url):
    async def reading():
        async with library.AsyncClient(trust_env=False) as client:
            await client.get(url)

    asyncio.run(reading())


@pytest.mark.parametrize("how", [read, stream, read_async])
@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_a_body_that_cannot_be_decoded_is_an_error(measured, server, library, how):
    with pytest.raises(library.DecodingError):
        how(library, server.url + "/garbled")

    assert calls(measured) == {("/garbled", "wb", "error"): 1}


@pytest.mark.parametrize("error", [ValueError("ours"), httpx.DecodingError("of another response")])
def test_what_a_reader_raises_is_no_error_of_the_response(measured, server, error):
    def fetch():
        with httpx.stream("GET", server.url + "/ok", trust_env=False) as response:
            next(response.iter_bytes())

    try:
        raise error
    except (ValueError, httpx.DecodingError):
        fetch()

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_each_hop_of_a_redirect_is_a_request(measured, server, client):
    assert client.call(server.url + "/moved", follow_redirects=True).status_code == 200

    assert calls(measured) == {("/moved", "wb", "302"): 1, ("/ok", "wb", "200"): 1}


def test_a_head_without_a_body_is_counted(measured, server, client):
    client.call(server.url + "/ok", "HEAD")

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_an_unknown_path_is_unmatched(measured, server, client):
    for number in range(5):
        client.call(f"{server.url}/orders/{number}")

    assert calls(measured) == {("unmatched", "wb", "200"): 5}


def test_an_unknown_host_is_service_other(measured, server, client):
    client.call(f"http://localhost:{server.server_port}/ok")

    assert calls(measured) == {("unmatched", "other", "200"): 1}


def test_a_method_that_is_not_known_is_other(measured, server):
    Page.do_FETCH = Page.do_GET

    Sync(httpx).call(server.url + "/ok", "FETCH")

    [point] = points(measured)
    assert point["http.request.method"] == "_OTHER"


def test_an_invalid_address_raises_the_same_error_as_without_instrumentation(measured, client):
    def refusal():
        with pytest.raises(Exception) as refused:  # whichever it is without instrumentation
            client.call("http://127.0.0.1:99999/")
        return refused.type

    with_us = refusal()
    HTTPClientInstrumentor().uninstrument()

    assert with_us is refusal()


def test_a_mock_transport_is_not_measured(measured):
    with httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200))) as client:
        client.get("http://service/ok")

    assert calls(measured) == {}


def test_the_measurement_does_not_change_the_response(measured, server, client):
    response = client.call(server.url + "/ok")

    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"fine", "4")
    assert isinstance(response, client.library.Response)


def test_a_failing_instrument_does_not_affect_the_request(signals, server, directory, caplog):
    class Broken:
        def record(self, *_arguments):
            raise RuntimeError("no space for numbers")

    HTTPClientInstrumentor().instrument(duration=Broken(), directory=directory)

    response = Sync(httpx).call(server.url + "/ok")

    assert response.text == "fine"


def test_switching_on_twice_counts_once_and_off_counts_no_more(measured, server, client, directory, caplog):
    instrumentor = HTTPClientInstrumentor()
    instrumentor.instrument(duration=measured.instruments.http_client_duration, directory=directory)
    client.call(server.url + "/ok")

    instrumentor.uninstrument()
    instrumentor.uninstrument()
    client.call(server.url + "/ok")

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_with_the_published_packages_a_request_is_counted_once_and_has_one_span(instrumented, server, client):
    client.call(server.url + "/boom")

    assert calls(instrumented) == {("/boom", "wb", "500"): 1}
    span = instrumented.span()
    assert (span.name, span.kind) == ("GET /boom", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["service.peer.name"] == "wb"
    assert span.attributes["url.template"] == "/boom"
    assert span.attributes["http.response.status_code"] == 500


@pytest.mark.parametrize("conventions", ["http,database", "http/dup", "old"])
@pytest.mark.parametrize("path", [f"/bot{TOKEN}/getMe", f"/bot{TOKEN}/unknown", f"/ok?api_key={TOKEN}"])
def test_a_token_in_the_url_is_in_no_span_and_in_no_metric(speaking, request, server, client, path, conventions):
    speaking(conventions)
    signals = request.getfixturevalue("instrumented")

    client.call(server.url + path)

    said = signals.span().to_json() + signals.page.render()[0].decode()
    assert "service.peer.name" in said
    assert "secret" not in said


def test_a_token_is_in_no_span_of_a_failed_request(instrumented, client, refused_port):
    with pytest.raises(client.library.ConnectError):
        client.call(f"http://user:{TOKEN}@127.0.0.1:{refused_port}/bot{TOKEN}/getMe")

    said = instrumented.span().to_json()
    assert "secret" not in said
    assert instrumented.span().status.status_code is StatusCode.ERROR
    assert calls(instrumented) == {("unmatched", "other", "error"): 1}


@pytest.mark.parametrize("signals", [ALWAYS_OFF], indirect=True)
def test_a_span_that_is_not_recorded_is_left_alone(instrumented, server):
    Sync(httpx).call(server.url + "/ok")

    assert instrumented.spans == []
    assert calls(instrumented) == {("/ok", "wb", "200"): 1}


def test_the_stable_conventions_are_the_default(signals, server, directory, speaking):
    speaking("")
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    Sync(httpx).call(server.url + "/ok")

    assert os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] == "http,database"
    assert "http.request.method" in signals.span().attributes
    assert "http.method" not in signals.span().attributes


def test_everything_can_be_switched_off_and_on_again(signals, directory, server):
    for _ in range(2):
        instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)
        Sync(httpx).call(server.url + "/ok")
        uninstrument_libraries()
        uninstrument_libraries()
        Sync(httpx).call(server.url + "/ok")

    assert calls(signals) == {("/ok", "wb", "200"): 2}
    assert len(signals.spans) == 2


def server_of(server):
    return {"server.address": "127.0.0.1", "server.port": server.server_port}


def test_a_span_and_its_duration_are_described_alike_by_the_conventions(instrumented, server, client):
    client.call(f"{server.url}/bot{TOKEN}/getMe?api_key={TOKEN}")

    shared = {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "service.peer.name": "wb",
        "url.template": "/bot{token}/getMe",
        **server_of(server),
    }
    assert points(instrumented) == [shared]
    span = instrumented.span()
    assert span.name == "GET /bot{token}/getMe"
    assert dict(span.attributes) == {**shared, "url.full": f"{server.url}/bot{{token}}/getMe"}
    assert span.status.status_code is StatusCode.UNSET
    assert span.instrumentation_scope.schema_url == semconv.SCHEMA_URL


def test_an_unknown_endpoint_of_an_unknown_service_is_left_out(instrumented, server, client):
    client.call(f"http://localhost:{server.server_port}/orders/5")

    [point], span = points(instrumented), instrumented.span()
    assert not {"url.template", "service.peer.name"} & (point.keys() | span.attributes.keys())
    assert span.name == "GET"
    assert span.attributes["url.full"] == f"http://localhost:{server.server_port}/…"
    assert span.attributes["server.address"] == point["server.address"] == "localhost"


@pytest.mark.parametrize(("path", "status"), [("/gone", 404), ("/boom", 500)])
def test_a_refused_request_has_its_status_as_the_type_of_its_error(instrumented, server, client, path, status):
    client.call(server.url + path)

    [point], span = points(instrumented), instrumented.span()
    assert point["error.type"] == span.attributes["error.type"] == str(status)
    assert point["http.response.status_code"] == span.attributes["http.response.status_code"] == status
    assert span.status.status_code is StatusCode.ERROR


def test_a_truncated_response_has_a_status_and_an_error_in_span_and_duration(instrumented, server, client):
    with pytest.raises(client.library.RemoteProtocolError):
        client.call(server.url + "/cut")

    [point], span = points(instrumented), instrumented.span()
    assert point["error.type"] == span.attributes["error.type"] == "RemoteProtocolError"
    assert point["http.response.status_code"] == span.attributes["http.response.status_code"] == 200
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert calls(instrumented) == {("/cut", "wb", "error"): 1}


def test_a_request_without_a_response_has_its_exception_in_span_and_duration(instrumented, server, client):
    with pytest.raises(client.library.ReadTimeout):
        client.call(server.url + "/slow", timeout=TIMEOUT)

    [point], span = points(instrumented), instrumented.span()
    assert point["error.type"] == span.attributes["error.type"] == "ReadTimeout"
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert "http.response.status_code" not in point


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_a_cancelled_request_s_span_says_so(instrumented, server, path):
    async def give_up():
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.get(server.url + path)

    asyncio.run(give_up())

    span = instrumented.span()
    assert span.attributes["error.type"] == "TimeoutError"
    assert span.status.status_code is StatusCode.ERROR


def test_a_span_ends_with_the_body_of_its_response(instrumented, server):
    with httpx.stream("GET", server.url + "/ok", trust_env=False) as response:
        before = list(instrumented.spans)
        response.read()

    assert before == []
    assert instrumented.span().name == "GET /ok"


def test_no_sampler_sees_a_token(signals, server, directory):
    seen = []

    class Watching(Sampler):
        def should_sample(self, context, trace_id, name, kind=None, attributes=None, *others):
            seen.append((name, dict(attributes or {})))
            return ALWAYS_ON.should_sample(context, trace_id, name, kind, attributes, *others)

        def get_description(self):
            return "watching"

    signals.tracers.sampler = Watching()
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    Sync(httpx).call(f"{server.url}/bot{TOKEN}/getMe")

    [(name, attributes)] = seen
    assert name == "GET /bot{token}/getMe"
    assert attributes == {
        "http.request.method": "GET",
        "service.peer.name": "wb",
        "url.template": "/bot{token}/getMe",
        "url.full": f"{server.url}/bot{{token}}/getMe",
        **server_of(server),
    }


def test_a_sampler_that_fails_does_not_affect_the_request(signals, server, directory):
    class Broken(Sampler):
        def should_sample(self, *_arguments):
            raise RuntimeError("no luck")

        def get_description(self):
            return "broken"

    signals.tracers.sampler = Broken()
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    assert Sync(httpx).call(server.url + "/ok").text == "fine"
    assert calls(signals) == {("/ok", "wb", "200"): 1}


def test_the_hosts_in_the_durations_are_limited(signals, monkeypatch, server):
    monkeypatch.setattr("telemetry.instrumentation.httpx.MAX_UNKNOWN_HOSTS", 1)
    HTTPClientInstrumentor().instrument(
        duration=signals.instruments.http_client_duration, directory=ServiceDirectory(), tracer_provider=signals.tracers
    )

    for host in ("127.0.0.1", "localhost", "127.0.0.1"):
        Sync(httpx).call(f"http://{host}:{server.server_port}/ok")

    assert [point.get("server.address") for point in points(signals)] in (["127.0.0.1", None], [None, "127.0.0.1"])
    assert [span.attributes["server.address"] for span in signals.spans] == ["127.0.0.1", "localhost", "127.0.0.1"]
    assert calls(signals) == {("unmatched", "other", "200"): 3}


def test_libraries_that_somebody_else_has_instrumented_are_measured(signals, server, directory, client):
    """As by `opentelemetry-instrument`."""
    for published in (HTTPXClientInstrumentor(), HTTPX2ClientInstrumentor()):
        published.instrument(tracer_provider=signals.tracers)
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    client.call(server.url + "/ok")

    assert calls(signals) == {("/ok", "wb", "200"): 1}
    assert len(signals.spans) == 1


def test_a_stream_that_cannot_be_measured_ends_its_request_with_the_headers(signals):
    class Frozen:
        __slots__ = ()

    request = ClientRequest(signals.tracer.start_span("GET"), signals.instruments.http_client_duration, {})

    request.respond(200, "1.1", Frozen())

    assert not request.has_body


def test_urls_that_are_excluded_have_no_span_and_no_duration(signals, server, directory, monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "/ok")
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    Sync(httpx).call(server.url + "/ok")
    Sync(httpx).call(server.url + "/boom")

    assert calls(signals) == {("/boom", "wb", "500"): 1}
    assert [span.name for span in signals.spans] == ["GET /boom"]


@pytest.mark.parametrize("signals", [ALWAYS_OFF], indirect=True)
def test_a_trace_goes_on_at_the_server_also_when_it_is_not_sampled(instrumented, server):
    response = Sync(httpx).call(server.url + "/ok")

    assert response.request.headers["traceparent"].endswith(("-00", "-02"))  # 02: a random trace id


def test_requests_at_once_are_each_described_by_their_own_response(instrumented, server):
    paths = ["/ok", "/boom", "/gone", "/moved"] * 5

    async def all_of_them():
        async with httpx.AsyncClient(trust_env=False) as client:
            await asyncio.gather(*(client.get(server.url + path) for path in paths))

    asyncio.run(all_of_them())

    assert calls(instrumented) == {
        ("/ok", "wb", "200"): 5,
        ("/boom", "wb", "500"): 5,
        ("/gone", "wb", "404"): 5,
        ("/moved", "wb", "302"): 5,
    }
    statuses = {(span.name, span.attributes["http.response.status_code"]) for span in instrumented.spans}
    assert statuses == {("GET /ok", 200), ("GET /boom", 500), ("GET /gone", 404), ("GET /moved", 302)}
    assert len(instrumented.spans) == 20


def test_a_request_within_a_request_is_measured_apart(instrumented, server):
    """As of a client whose authentication asks for a token first."""

    class Asking(httpx.Auth):
        def auth_flow(self, request):
            Sync(httpx).call(server.url + "/gone")
            yield request

    Sync(httpx).call(server.url + "/ok", auth=Asking())

    assert calls(instrumented) == {("/ok", "wb", "200"): 1, ("/gone", "wb", "404"): 1}


def test_headers_are_captured_as_the_published_package_is_told_to(signals, server, directory, monkeypatch):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", "x-shop,x-secret")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", "content-length")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS", "x-secret")
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory)

    Sync(httpx).call(server.url + "/ok", headers={"x-shop": "17", "x-secret": TOKEN})

    attributes = signals.span().attributes
    assert attributes["http.request.header.x_shop"] == ("17",)
    assert attributes["http.request.header.x_secret"] == ("[REDACTED]",)
    assert attributes["http.response.header.content_length"] == ("4",)


def test_without_an_instrument_and_a_directory_a_request_is_the_same(server, client):
    HTTPClientInstrumentor().instrument()

    assert client.call(server.url + "/ok").text == "fine"
