"""Continuous profiles of several workers: each sends its own, also where the application was imported before the fork."""

import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest

from tests.e2e.test_servers import SERVERS, pids_of_two, served
from tests.support.processes import Program, Programs, eventually
from tests.support.profile_server import ProfileServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
STOP_SECONDS: Final = 60.0
INSTANCE: Final = re.compile(rb"instance\x12.([0-9a-f-]{36})")


@pytest.fixture
def profiles() -> Any:
    server = ProfileServer()
    yield server
    server.close()


def load(service: Program, stop: threading.Event) -> None:
    while not stop.is_set():
        service.get("/jobs", timeout=30)


def test_each_worker_sends_its_own_profiles_also_the_last_one_at_its_end(programs: Programs, profiles: ProfileServer):
    service = served(programs, *SERVERS["gunicorn --preload"], PYROSCOPE_SERVER_ADDRESS=profiles.address)
    stop = threading.Event()
    try:
        pids_of_two(service)
        with ThreadPoolExecutor(3) as pool:
            clients = [pool.submit(load, service, stop) for _ in range(3)]
            eventually(lambda: len(instances(profiles)) == 2, within=60)
            stop.set()
        assert [each.exception() for each in clients] == [None] * 3
        before = len(profiles.received)
        service.tell(signal.SIGTERM)
        code = service.exit_code(STOP_SECONDS)
    finally:
        stop.set()
        service.kill()

    assert code == 0
    assert len(profiles.received) >= before + 2
    assert len(instances(profiles)) == 2
    assert profiles.refused == []
    for body in profiles.received:
        assert all(word in body for word in (b"sovani", b"role", b"server", b"version", b"process_cpu"))
    assert "Traceback" not in service.said()


def instances(profiles: ProfileServer) -> set[bytes]:
    return {found[1] for body in profiles.received if (found := INSTANCE.search(body))}
