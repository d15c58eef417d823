import threading
from functools import partial
from importlib import import_module

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from telemetry.profiling import continuous_profiler
from telemetry.profiling.continuous_profiler import ContinuousProfiler
from tests.support.processes import eventually, free_port
from tests.support.profile_server import ProfileServer

RESOURCE = Resource({"service.name": "shop", "service.version": "1.2.3", "service.instance.id": "one"})


@pytest.fixture
def server():
    made = ProfileServer()
    yield made
    made.close()


@pytest.fixture
def hot():
    stop = threading.Event()

    def hot_on_purpose():
        while not stop.is_set():
            sum(range(500))

    thread = threading.Thread(target=hot_on_purpose)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("hot")
def test_profiles_arrive_with_the_name_the_version_and_the_role(server, monkeypatch):
    pyroscope = import_module("pyroscope")
    monkeypatch.setattr(pyroscope, "configure", partial(pyroscope.configure, upload_interval=1))

    with ContinuousProfiler(server.address, TracerProvider(resource=RESOURCE), "scheduler"):
        eventually(lambda: any(b"hot_on_purpose" in body for body in server.received), within=60)

    assert server.refused == []
    body = server.received[0]
    assert all(word in body for word in (b"shop", b"1.2.3", b"one", b"role", b"scheduler"))


def test_without_an_address_it_does_nothing():
    with ContinuousProfiler(None, TracerProvider(), "server"):
        names = {thread.name for thread in threading.enumerate()}

    assert "profiler-start" not in names


def test_a_server_that_is_down_is_said_once_and_harms_nothing(caplog):
    address = f"http://127.0.0.1:{free_port()}"

    with ContinuousProfiler(address, TracerProvider(resource=RESOURCE), "server"):
        eventually(lambda: caplog.messages, within=30)

    [message] = caplog.messages
    assert message.startswith(
        f"PYROSCOPE_SERVER_ADDRESS={address} cannot be reached (Connection refused): profiles are dropped"
    )


def test_a_server_that_hangs_does_not_hold_the_end_up(monkeypatch):
    ended = threading.Event()
    monkeypatch.setattr(continuous_profiler, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(ContinuousProfiler, "_start", lambda _self: None)
    monkeypatch.setattr(ContinuousProfiler, "_stop", lambda _self: ended.wait(60))

    with ContinuousProfiler("http://127.0.0.1:1", TracerProvider(), "server"):
        pass

    assert not ended.is_set()
    ended.set()


def test_an_sdk_that_fails_harms_nothing(monkeypatch, caplog):
    monkeypatch.setattr(continuous_profiler, "import_module", lambda _name: 1 / 0)

    with ContinuousProfiler("http://127.0.0.1:1", TracerProvider(), "server"):
        pass
