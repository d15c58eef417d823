import asyncio
import http.server
import os
import socket
import threading

import httpx
import httpx2
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from telemetry.instrumentation.external_services import ExternalService, ServiceDirectory
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries

TOKEN = "123456:AAE-secret"
ENDPOINTS = ("/ok", "/boom", "/slow", "/drip", "/cut", "/chunks", "/moved", "/bot{token}/getMe")
PATIENCE = 0.2


class World(http.server.ThreadingHTTPServer):
    """The outside world, on loopback."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Page)
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Page(http.server.BaseHTTPRequestHandler):
    server: World
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        pages = (self.boom, self.slow, self.drip, self.cut, self.chunks, self.moved)
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

    def moved(self):
        self.answer(302, b"", location="/ok")

    def cut(self):
        self.answer(200, b"only this", **{"content-length": "1000"})

    def chunks(self):
        self.answer(200, b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", **{"transfer-encoding": "chunked", "content-length": ""})

    def slow(self):
        """No answer at all."""
        self.server.released.wait(10)

    def drip(self):
        """An answer that begins and does not end."""
        self.answer(200, b"drop", **{"content-length": "1000"})
        self.server.released.wait(10)

    def log_message(self, *_arguments):
        """Nobody reads it."""

    def send_header(self, keyword, value):
        if value:
            super().send_header(keyword, value)


@pytest.fixture(scope="module")
def world():
    with World() as world:
        thread = threading.Thread(target=world.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield world
        world.released.set()
        world.shutdown()
        thread.join(5)


@pytest.fixture
def directory(world):
    return ServiceDirectory([ExternalService("wb", world.url, ENDPOINTS)])


@pytest.fixture
def measured(signals, directory):
    """Our instrumentation alone."""
    HTTPClientInstrumentor().instrument(duration=signals.instruments.http_client_duration, directory=directory)
    return signals


@pytest.fixture
def instrumented(signals, directory):
    """Everything that is switched on for the libraries, the published packages included."""
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory, None)
    return signals


class Sync:
    def __init__(self, library):
        self.library = library

    def call(self, url, method="GET", timeout=10, **options):
        with self.library.Client(trust_env=False, timeout=timeout, **options) as client:
            return client.request(method, url)

    def read_a_bit(self, url):
        with self.library.Client(trust_env=False) as client, client.stream("GET", url) as answered:
            return next(answered.iter_raw(1))


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
            async with self.library.AsyncClient(trust_env=False) as client, client.stream("GET", url) as answered:
                return await anext(aiter(answered.aiter_raw(1)))

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


@pytest.fixture
def nobody():
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(("path", "status"), [("/ok", "200"), ("/boom", "500"), ("/chunks", "200"), ("/moved", "302")])
def test_a_call_that_was_answered_is_counted_by_service_endpoint_and_code(measured, world, client, path, status):
    client.call(world.url + path)

    assert calls(measured) == {(path, "wb", status): 1}
    assert measured.series("external_api_duration_seconds_count") == {("wb",): 1}


def test_a_call_that_was_refused_is_an_error(signals, client, nobody):
    directory = ServiceDirectory([ExternalService("ozon", f"http://127.0.0.1:{nobody}", ("/v1/roles",))])
    HTTPClientInstrumentor().instrument(duration=signals.instruments.http_client_duration, directory=directory)

    with pytest.raises(client.library.ConnectError):
        client.call(f"http://127.0.0.1:{nobody}/v1/roles")

    assert calls(signals) == {("/v1/roles", "ozon", "error"): 1}


def test_a_call_that_was_not_answered_in_time_is_a_timeout(measured, world, client):
    with pytest.raises(client.library.ReadTimeout):
        client.call(world.url + "/slow", timeout=PATIENCE)

    assert calls(measured) == {("/slow", "wb", "timeout"): 1}
    assert measured.series("external_api_duration_seconds_sum")["wb",] >= PATIENCE


def test_an_answer_that_was_cut_off_is_an_error_and_counted_once(measured, world, client):
    with pytest.raises(client.library.RemoteProtocolError):
        client.call(world.url + "/cut")

    assert calls(measured) == {("/cut", "wb", "error"): 1}


def test_an_answer_of_which_enough_was_read_was_an_answer(measured, world, client):
    assert client.read_a_bit(world.url + "/ok") == b"f"

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_a_call_is_over_when_its_answer_has_been_read(measured, world):
    with httpx.stream("GET", world.url + "/ok", trust_env=False) as answered:
        before = calls(measured)
        answered.read()
        after = calls(measured)

    assert (before, after) == ({}, {("/ok", "wb", "200"): 1})
    assert calls(measured) == after


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_a_call_that_its_caller_gave_up_is_an_error(measured, world, path):
    async def give_up():
        async with httpx2.AsyncClient(trust_env=False) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.get(world.url + path)

    asyncio.run(give_up())

    assert calls(measured) == {(path, "wb", "error"): 1}


def test_each_hop_of_a_redirect_is_a_call(measured, world, client):
    assert client.call(world.url + "/moved", follow_redirects=True).status_code == 200

    assert calls(measured) == {("/moved", "wb", "302"): 1, ("/ok", "wb", "200"): 1}


def test_a_head_without_a_body_is_counted(measured, world, client):
    client.call(world.url + "/ok", "HEAD")

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_a_path_off_the_list_is_unmatched(measured, world, client):
    for number in range(5):
        client.call(f"{world.url}/orders/{number}")

    assert calls(measured) == {("unmatched", "wb", "200"): 5}


def test_a_host_off_the_list_is_another_service(measured, world, client):
    client.call(f"http://localhost:{world.server_port}/ok")

    assert calls(measured) == {("unmatched", "other", "200"): 1}


def test_a_method_that_is_not_known_is_other(measured, world):
    Page.do_FETCH = Page.do_GET

    Sync(httpx).call(world.url + "/ok", "FETCH")

    [key] = measured.instruments.http_client_duration._sets._seen
    assert dict(key)["http.request.method"] == "_OTHER"


def test_an_address_that_is_none_is_refused_by_whoever_is_called_and_not_by_us(measured, client):
    def refusal():
        with pytest.raises(Exception) as refused:  # whatever it is without us
            client.call("http://127.0.0.1:99999/")
        return refused.type

    with_us = refusal()
    HTTPClientInstrumentor().uninstrument()

    assert with_us is refusal()


def test_a_transport_that_calls_nobody_is_no_call(measured):
    with httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(200))) as client:
        client.get("http://service/ok")

    assert calls(measured) == {}


def test_what_is_measured_does_not_change_what_is_answered(measured, world, client):
    answered = client.call(world.url + "/ok")

    assert (answered.status_code, answered.content, answered.headers["content-length"]) == (200, b"fine", "4")
    assert isinstance(answered, client.library.Response)


def test_an_instrument_that_fails_does_not_harm_the_call(signals, world, directory, caplog):
    class Broken:
        def record(self, *_arguments):
            raise RuntimeError("no space for numbers")

    HTTPClientInstrumentor().instrument(duration=Broken(), directory=directory)

    answered = Sync(httpx).call(world.url + "/ok")

    assert answered.text == "fine"


def test_switching_on_twice_counts_once_and_off_counts_no_more(measured, world, client, directory, caplog):
    instrumentor = HTTPClientInstrumentor()
    instrumentor.instrument(duration=measured.instruments.http_client_duration, directory=directory)
    client.call(world.url + "/ok")

    instrumentor.uninstrument()
    instrumentor.uninstrument()
    client.call(world.url + "/ok")

    assert calls(measured) == {("/ok", "wb", "200"): 1}


def test_with_the_published_packages_a_call_is_counted_once_and_has_one_span(instrumented, world, client):
    client.call(world.url + "/boom")

    assert calls(instrumented) == {("/boom", "wb", "500"): 1}
    span = instrumented.span()
    assert (span.name, span.kind) == ("GET /boom", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["service.peer.name"] == "wb"
    assert span.attributes["url.template"] == "/boom"
    assert span.attributes["http.response.status_code"] == 500


@pytest.mark.parametrize("conventions", ["http,database", "http/dup", "old"])
@pytest.mark.parametrize("path", [f"/bot{TOKEN}/getMe", f"/bot{TOKEN}/unknown", f"/ok?api_key={TOKEN}"])
def test_a_token_in_the_url_is_in_no_span_and_in_no_metric(speaking, request, world, client, path, conventions):
    speaking(conventions)
    signals = request.getfixturevalue("instrumented")

    client.call(world.url + path)

    said = signals.span().to_json() + signals.page.render()[0].decode()
    assert "service.peer.name" in said
    assert "secret" not in said


def test_a_token_is_in_no_span_of_a_call_that_failed(instrumented, client, nobody):
    with pytest.raises(client.library.ConnectError):
        client.call(f"http://user:{TOKEN}@127.0.0.1:{nobody}/bot{TOKEN}/getMe")

    said = instrumented.span().to_json()
    assert "secret" not in said
    assert instrumented.span().status.status_code is StatusCode.ERROR
    assert calls(instrumented) == {("unmatched", "other", "error"): 1}


@pytest.mark.parametrize("signals", [ALWAYS_OFF], indirect=True)
def test_a_span_that_is_not_recorded_is_left_alone(instrumented, world):
    Sync(httpx).call(world.url + "/ok")

    assert instrumented.spans == []
    assert calls(instrumented) == {("/ok", "wb", "200"): 1}


def test_the_new_conventions_are_asked_for_unless_others_are(signals, world, directory, speaking):
    speaking("")
    instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory, None)

    Sync(httpx).call(world.url + "/ok")

    assert os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] == "http,database"
    assert "http.request.method" in signals.span().attributes
    assert "http.method" not in signals.span().attributes


def test_everything_can_be_switched_off_and_on_again(signals, directory, world):
    for _ in range(2):
        instrument_libraries(Providers(signals.tracers, signals.meters), signals.instruments, directory, None)
        Sync(httpx).call(world.url + "/ok")
        uninstrument_libraries()
        uninstrument_libraries()
        Sync(httpx).call(world.url + "/ok")

    assert calls(signals) == {("/ok", "wb", "200"): 2}
    assert len(signals.spans) == 2
