"""Slow clients: whoever sends or takes a byte a second keeps nobody else waiting, and is let go in the end."""

import contextlib
import socket
import sys
import time

import pytest

from tests.support.processes import Programs, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("slow clients")]

HELD = 1000
FILES = 256
TOKEN = "correct horse battery"
ANSWER = b"POST /api/v1/reviews/1/answer HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    programs = Programs(tmp_path_factory.mktemp("slow"))
    started = programs.serve()
    started.wait_for("/readyz")
    yield started
    programs.kill()


@pytest.fixture(scope="module")
def small_service(tmp_path_factory):
    """The service with a token, and with as few open files as it can get by with."""
    programs = Programs(tmp_path_factory.mktemp("small"))
    command = f"ulimit -n {FILES}; exec {sys.executable} -m service serve"
    started = programs.start_command("sh", "-c", command, port=free_port(), OPS_TOKEN=TOKEN)
    started.wait_for("/readyz")
    yield started
    programs.kill()


def connect(service):
    made = socket.create_connection(("127.0.0.1", service.port), timeout=20)
    made.settimeout(20)
    return made


def all_of(connection):
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    return said


def response_of(connection):
    """One whole response with a JSON object."""
    said = b""
    while not said.endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, said
        said += piece
    return said


def test_a_head_that_does_not_come_is_let_go(service):
    head = b"GET /health HTTP/1.1\r\nhost: a\r\n"
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connect(service)) for _ in range(4)]
        for each, sent in zip(slow, (b"", b"\r\n", head[:14], head), strict=True):
            each.sendall(sent)
        said = [all_of(each) for each in slow]

    assert [each.split(b"\r\n")[0] for each in said] == [
        b"",
        b"",
        b"HTTP/1.1 408 Request Timeout",
        b"HTTP/1.1 408 Request Timeout",
    ]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nhost: a\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(9000)), b"431"),
    ],
)
def test_a_head_that_is_too_large_is_refused_before_it_is_whole(service, head, status):
    with connect(service) as greedy:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            greedy.sendall(head)
        assert all_of(greedy).split(b" ")[1:2] in ([status], [])

    assert f'http_connections_refused_total{{status="{status.decode()}"}}' in service.get("/metrics").text


def test_a_thousand_that_send_a_byte_now_and_then_do_not_stop_the_probes(service):
    with contextlib.ExitStack() as opened:
        slow = [opened.enter_context(connect(service)) for _ in range(HELD)]
        waits = []
        for letter in (b"G", b"E", b"T"):
            for each in slow:
                with contextlib.suppress(OSError):
                    each.sendall(letter)
            for path in ("/livez", "/readyz", "/healthz"):
                before = time.monotonic()
                assert service.get(path).status_code == 200
                waits.append(time.monotonic() - before)

    assert max(waits) < 5
    assert 'http_connections_refused_total{status="503"}' in service.get("/metrics").text


def test_a_connection_that_is_kept_is_answered_again(service):
    request = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"
    with connect(service) as kept:
        for together in (1, 1, 2):
            kept.sendall(request * together)
            said = b""
            while said.count(b'{"status":"ok"}') < together:
                said += kept.recv(65536)
            assert said.count(b"HTTP/1.1 200 ") == together


def test_nothing_says_what_serves(service):
    assert "server" not in service.get("/health").headers


BEARER = b"authorization: Bearer " + TOKEN.encode() + b"\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(ANSWER + BEARER + b"content-length: 100\r\n\r\n{", id="one byte of a body"),
        pytest.param(ANSWER + BEARER + b"content-length: 100\r\n\r\n", id="no byte of a body"),
        pytest.param(ANSWER + BEARER + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n", id="one chunk"),
        pytest.param(ANSWER + BEARER + b"content-length: 9\r\nexpect: 100-continue\r\n\r\n", id="expects 100"),
        pytest.param(ANSWER + b"content-length: 100\r\n\r\n{", id="no token, and one byte of a body"),
        pytest.param(b"GET /livez HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{", id="a body that nobody reads"),
        pytest.param(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n", id="between two requests"),
        pytest.param(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /li", id="a part of the next request"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_more_unfinished_requests_than_open_files_do_not_stop_the_probes(small_service, sent):
    with contextlib.ExitStack() as opened:
        for _ in range(FILES + 50):
            slow = opened.enter_context(connect(small_service))
            with contextlib.suppress(OSError):
                slow.sendall(sent)

        for path in ("/livez", "/readyz"):
            assert small_service.get(path, timeout=5).status_code == 200


@pytest.mark.parametrize("authorization", [b"", b"authorization: Bearer wrong\r\n", b"authorization: Basic x\r\n"])
@pytest.mark.parametrize("length", [b"content-length: 50\r\n\r\n", b"transfer-encoding: chunked\r\n\r\n"])
def test_a_wrong_token_is_refused_at_the_headers(small_service, authorization, length):
    with connect(small_service) as slow:
        slow.settimeout(5)
        slow.sendall(ANSWER + authorization + length)

        said = response_of(slow)

    assert said.startswith(b"HTTP/1.1 401 ")
    assert b"www-authenticate: Bearer" in said
    assert b"OPS_TOKEN" in said


def test_a_connection_that_was_refused_at_its_headers_is_answered_again_after_its_body(small_service):
    with connect(small_service) as kept:
        kept.sendall(ANSWER + b"content-length: 4\r\n\r\n")
        assert response_of(kept).startswith(b"HTTP/1.1 401 ")
        kept.sendall(b"{}  " + ANSWER + BEARER + b"content-length: 2\r\n\r\n{}")

        assert response_of(kept).startswith(b"HTTP/1.1 404 ")


def test_the_right_token_is_asked_for_its_body(small_service):
    with connect(small_service) as client:
        client.sendall(ANSWER + BEARER + b"content-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")

        assert response_of(client).startswith(b"HTTP/1.1 404 ")
