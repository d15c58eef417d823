"""Strangers: what they make up costs neither series nor memory, and what they hold back keeps nobody waiting."""

import contextlib
import os
import random
import socket
import string
import threading
import time

import psutil
import pytest

from tests.support.processes import Programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "50000"))  # 100,000 are a full proof
FIRST = 20_000
"""After so many, what is made up has filled what there is room for."""
THREADS = 4
HELD = 1000
HELD_FOR = 20.0
TOKEN = "correct-horse-battery"


@pytest.fixture
def service(programs: Programs):
    started = programs.serve("--no-scheduler", LOG_LEVEL="WARNING", ALLOWED_HOSTS="*")
    started.wait_for("/readyz")
    return started


def word(made: random.Random) -> str:
    return "".join(made.choices(string.ascii_uppercase, k=12))


def request(made: random.Random) -> bytes:
    """No two have the same path, method or host."""
    method = made.choice(("GET", "POST", "PUT", "DELETE", word(made) if made.random() < 0.02 else "PATCH"))
    path = made.choice((f"/{word(made)}/{word(made)}", f"/readyz/{word(made)}", f"/jobs/stats/{word(made)}", "/health"))
    return (
        f"{method} {path}?{word(made)}=1 HTTP/1.1\r\nhost: {word(made)}.example\r\nx-request-id: {word(made)}\r\n"
        f"user-agent: {word(made)}\r\ntraceparent: 00-{made.randrange(16**32):032x}-{made.randrange(16**16):016x}-00\r\n"
        "content-length: 0\r\n\r\n"
    ).encode()


def ask(port: int, number: int, seed: int) -> None:
    """A connection that the service closes, since a method is none, is followed by another."""
    made, connection = random.Random(seed), None
    for _ in range(number):
        connection = connection or socket.create_connection(("127.0.0.1", port), timeout=30)
        try:
            connection.sendall(request(made))
            while not (said := connection.recv(65536)).endswith(b"}"):
                if not said:
                    raise ConnectionResetError
        except ConnectionError:
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


def ask_all(service, number: int, seed: int) -> None:
    threads = [
        threading.Thread(target=ask, args=(service.port, number // THREADS, seed * THREADS + each))
        for each in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def memory(service) -> float:
    return psutil.Process(service.process.pid).memory_info().rss / 1e6


def series(service) -> int:
    return sum(not line.startswith("#") for line in service.get("/metrics").text.splitlines())


def test_tens_of_thousands_of_paths_methods_and_hosts_level_off(service):
    ask_all(service, FIRST, seed=1)
    early, at_first = series(service), memory(service)
    ask_all(service, REQUESTS - FIRST, seed=2)

    late, at_last = series(service), memory(service)
    asked = sum(
        float(line.rpartition(" ")[2])
        for line in service.get("/metrics").text.splitlines()
        if line.startswith("http_requests_total{")
    )

    assert asked > REQUESTS * 0.9
    assert late - early < 20
    assert at_last - at_first < 15
    print(f"{asked:,.0f} requests: {early} and {late} series, {at_first:.0f} and {at_last:.0f} MB")  # noqa: T201  # a figure for the note


def test_a_thousand_that_send_a_byte_a_second_do_not_stop_the_probes(service):
    head, waits = b"GET /health HTTP/1.1\r\nhost: slow.example\r\n", []
    slow: list[socket.socket] = []
    end, at = time.monotonic() + HELD_FOR, 0
    while time.monotonic() < end:
        slow += [socket.create_connection(("127.0.0.1", service.port), timeout=30) for _ in range(HELD - len(slow))]
        second = time.monotonic() + 1
        for each in slow:
            with contextlib.suppress(OSError):
                each.sendall(head[at % len(head) :][:1])
        for path in ("/livez", "/readyz", "/healthz"):
            before = time.monotonic()
            assert service.get(path).status_code == 200
            waits.append(time.monotonic() - before)
        at += 1
        time.sleep(max(0.0, second - time.monotonic()))
    for each in slow:
        each.close()

    assert max(waits) < 5
    print(f"{len(waits)} probes, the slowest {max(waits) * 1000:.0f} ms")  # noqa: T201  # a figure for the note


def test_a_body_that_does_not_come_is_let_go(programs: Programs):
    service = programs.serve("--no-scheduler", OPS_TOKEN=TOKEN)
    service.wait_for("/readyz")
    head = f"POST /api/v1/reviews/1/answer HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 10\r\n\r\n"

    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as slow:
        slow.sendall(head.encode() + b"{")

        assert slow.recv(65536).startswith(b"HTTP/1.1 408 ")
