import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import openai as sdk
import pytest

from service.integrations.openai.client import make_client
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.httpx import HTTPClientInstrumentor
from tests.support.loopback import SILENT, TRICKLING, TRICKLING_HEAD, loopback, response
from tests.support.processes import ROOT


class Durations(list):
    """A histogram that keeps the attributes of what it is told."""

    def record(self, seconds, attributes):
        self.append(attributes)


@pytest.fixture
def measured():
    durations, instrumentor = Durations(), HTTPClientInstrumentor()
    instrumentor.instrument(duration=durations, directory=ServiceDirectory())
    yield durations
    instrumentor.uninstrument()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"


@contextmanager
def trickling(pieces):
    """A server that answers one call with a head, and then the pieces, one each 20 ms, until the client has gone."""

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(HEAD)
            try:
                for piece in pieces:
                    connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                    time.sleep(0.02)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        thread.join(20)
        assert not thread.is_alive()


def ask(client):
    with client:
        return client.responses.create(model="m", input="hi")


def test_a_call_is_made_once_and_has_a_minute_for_each_read():
    with make_client("sk-test-0123", "http://127.0.0.1:1/v1") as client:
        assert client.max_retries == 0
        assert client.timeout.as_dict() == {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 60.0}


def test_an_answer_that_trickles_in_ends_by_the_deadline():
    began = time.monotonic()
    with trickling([b" "] * 400) as url, pytest.raises(sdk.APITimeoutError):
        ask(make_client("sk-test-0123", url, timeout=0.3))

    assert time.monotonic() - began < 5


def test_an_answer_that_was_not_there_in_time_is_measured_as_a_call_that_failed(measured):
    with trickling([b" "] * 400) as url, pytest.raises(sdk.APITimeoutError):
        ask(make_client("sk-test-0123", url, timeout=0.1))

    assert [call["error.type"] for call in measured] == ["ReadTimeout"]


def test_an_answer_without_an_end_is_cut():
    with trickling([b" " * 2**20] * 30) as url, pytest.raises(sdk.APIConnectionError) as raised:
        ask(make_client("sk-test-0123", url))

    assert "longer than 16777216 bytes" in str(raised.value.__cause__)


def test_a_proxy_of_the_environment_is_gone_through(openai, openai_url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", openai_url.removesuffix("/v1"))
    openai.answer()

    answer = ask(make_client("sk-test-0123", "http://api.openai.example/v1"))

    assert answer.id == "resp_01"


def test_an_address_without_a_proxy_is_gone_to_directly(openai, openai_url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    openai.answer()

    assert ask(make_client("sk-test-0123", openai_url)).id == "resp_01"


def test_the_sdk_is_not_loaded_before_it_is_needed():
    """It takes as long as half of the service."""
    code = "import sys, service.__main__; sys.exit('openai' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("answer", [SILENT, TRICKLING_HEAD, TRICKLING], ids=["silent", "trickling head", "trickling"])
def test_a_call_has_a_total_time_however_slowly_its_answer_comes(answer):
    with loopback() as server:
        server.enqueue(answer)
        began = time.monotonic()

        with pytest.raises(sdk.APITimeoutError):
            ask(make_client("key", server.url, timeout=0.3))

    assert time.monotonic() - began < 8


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_does_not_get_the_prompt(status):
    with loopback() as server, loopback() as other:
        server.enqueue(response(status=status, location=f"{other.url}/elsewhere"))

        with pytest.raises(sdk.APIStatusError):
            ask(make_client("key", server.url, timeout=10))

        assert other.requests == []
