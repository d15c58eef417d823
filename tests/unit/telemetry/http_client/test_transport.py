import socket
import threading
import time

import httpx
import pytest

from telemetry.error_text import safe_text
from telemetry.http_client import deadline_backend, transport
from telemetry.http_client.transport import DEADLINE_EXTENSION, BoundedTransport
from tests.support.loopback import SILENT, STALLED, TRICKLING, TRICKLING_HEAD, endless_response, response

SOON = 0.3
MAX_BYTES = 2**30


@pytest.fixture
def client():
    with httpx.Client(transport=BoundedTransport(MAX_BYTES), timeout=15) as client:
        yield client


def ask(client, url, seconds=SOON):
    return client.get(url, extensions={DEADLINE_EXTENSION: time.monotonic() + seconds})


@pytest.mark.parametrize(
    "answer",
    [SILENT, STALLED, TRICKLING, TRICKLING_HEAD],
    ids=["silent", "stalled", "trickling", "trickling head"],
)
def test_an_answer_that_is_not_there_by_the_deadline_is_not_waited_for(client, server, answer):
    server.enqueue(answer)
    began = time.monotonic()

    with pytest.raises(httpx.ReadTimeout):
        ask(client, server.url)

    assert SOON <= time.monotonic() - began < 5


def test_an_answer_that_never_stops_is_left_at_the_deadline(client, server):
    server.enqueue(endless_response)
    began = time.monotonic()

    with pytest.raises(httpx.ReadTimeout):
        ask(client, server.url)

    assert time.monotonic() - began < 5


def test_an_answer_that_is_late_says_so_to_whoever_reads_below(server):
    told = []

    def chunks():
        try:
            yield b"late"
        except httpx.ReadTimeout as error:
            told.append(error)
            raise

    request = httpx.Request("GET", server.url)
    late = transport._BoundedStream(chunks(), request, time.monotonic() - 1, 1000)

    with pytest.raises(httpx.ReadTimeout) as raised:
        next(iter(late))

    assert told == [raised.value]
    assert raised.value.request is request


@pytest.fixture
def deaf():
    """A port at which connections wait, and nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_question_that_nobody_reads_is_not_sent_for_longer_than_until_the_deadline(client, deaf):
    began = time.monotonic()

    with pytest.raises(httpx.WriteTimeout):
        client.post(f"http://{deaf}", content=b"x" * 2**25, extensions={DEADLINE_EXTENSION: began + SOON})

    assert SOON <= time.monotonic() - began < 5


def test_a_greeting_that_is_not_returned_is_not_waited_for_either(client, deaf):
    began = time.monotonic()

    with pytest.raises(httpx.ConnectTimeout):
        ask(client, f"https://{deaf}")

    assert SOON <= time.monotonic() - began < 5


def test_an_answer_in_time_is_whole_and_the_next_one_has_a_deadline_of_its_own(client, server):
    server.enqueue(response("one"), response("two"), response("three"))

    assert ask(client, server.url, 10).text == "one"
    assert client.get(server.url).text == "two"
    assert ask(client, server.url, 10).text == "three"


def test_a_deadline_that_is_over_is_over(client, server):
    server.enqueue(SILENT)

    with pytest.raises(httpx.TimeoutException):
        ask(client, server.url, -1)


def test_an_answer_may_have_the_largest_size_and_no_more(server):
    server.enqueue(response("x" * 100_000), response("x" * 100_001))

    with httpx.Client(transport=BoundedTransport(100_000), timeout=15) as client:
        assert len(client.get(server.url).text) == 100_000
        with pytest.raises(httpx.ReadError, match="longer than 100000 bytes"):
            client.get(server.url)


def test_a_request_without_a_deadline_has_the_default_one(client, server, monkeypatch):
    monkeypatch.setattr(transport, "DEFAULT_SECONDS", SOON)
    server.enqueue(TRICKLING_HEAD)

    with pytest.raises(httpx.ReadTimeout):
        client.get(server.url)


def test_a_resolver_that_hangs_is_not_waited_for(client, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(deadline_backend.socket, "getaddrinfo", lambda *_args, **_named: [][: released.wait(20)])
    began = time.monotonic()

    with pytest.raises(httpx.ConnectTimeout):
        ask(client, "http://api.example")

    assert time.monotonic() - began < 10
    released.set()


def test_a_name_that_does_not_exist_is_a_connection_error(client, monkeypatch):
    def fail(*_args, **_named):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(deadline_backend.socket, "getaddrinfo", fail)

    with pytest.raises(httpx.ConnectError) as failed:
        ask(client, "http://api.example", 10)

    assert safe_text(failed.value) == "the host name is not known"


@pytest.mark.parametrize("number", [1, 2, 50])
def test_the_next_address_of_a_name_is_tried_within_the_same_deadline(client, server, monkeypatch, number):
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", server.server_port))
        addresses = [(2, 1, 6, "", ("127.0.0.2", 0))] * number + [(2, 1, 6, "", ("127.0.0.1", 0))]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            deadline_backend.socket,
            "getaddrinfo",
            lambda host, *args, **named: addresses if host == "api.example" else real(host, *args, **named),
        )
        server.enqueue(response("fine"))

        assert ask(client, f"http://api.example:{server.server_port}", 10).text == "fine"


def test_a_request_that_is_taken_drop_by_drop_ends_at_the_deadline(client):
    """The socket takes a little whenever the server has read a little, so that no single write is late."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=sip, args=(listening,), daemon=True).start()
        began = time.monotonic()

        with pytest.raises(httpx.WriteTimeout):
            client.post(
                f"http://127.0.0.1:{listening.getsockname()[1]}",
                content=b"x" * 2**26,
                extensions={DEADLINE_EXTENSION: began + 1},
            )

    assert time.monotonic() - began < 10


def sip(listening):
    connection, _address = listening.accept()
    with connection:
        for _ in range(400):
            if not connection.recv(2**16):
                return
            time.sleep(0.05)


def test_a_client_without_timeouts_has_the_deadline(server):
    server.enqueue(STALLED)

    with httpx.Client(transport=BoundedTransport(MAX_BYTES), timeout=None) as client, pytest.raises(httpx.ReadTimeout):  # noqa: S113  # the deadline is tested
        ask(client, server.url)
