"""The throughput of uvicorn with one worker, kept busy over loopback by a client in another process.

The contenders take turns in several generations of processes, since a process's memory layout is worth some microseconds. The ratio by the clock is what a user sees. The ratio by CPU time is the same for a busy server, and
depends less on the machine's other load.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from bench.contenders import BARE, CONTENDERS, PATH, build
from bench.progress import say
from bench.quartile import lower_quartile
from bench.subprocess_runner import MeasurementFailed, Subprocess, SubprocessGroup
from bench.table import Table

ROUNDS, QUICK_ROUNDS = 6, 4
GENERATIONS, QUICK_GENERATIONS = 3, 1
_SECONDS = 0.3
_CONNECTIONS = 8
_TIMEOUT = 20.0
_REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds per request: wall-clock time, and the server's CPU time."""

    seconds: float
    cpu: float


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        f"Throughput: uvicorn, one worker, {_CONNECTIONS} connections over loopback",
        ["", "requests/s", "ratio", "CPU µs each", "ratio by CPU"],
    )
    number, generations = (QUICK_ROUNDS, QUICK_GENERATIONS) if quick else (ROUNDS, GENERATIONS)
    rounds: list[dict[str, Burst]] = []
    errors: dict[str, MeasurementFailed] = {}
    with Subprocess(client) as load:
        for i in range(1, generations + 1):
            with SubprocessGroup({name: (server, name, directory) for name in CONTENDERS}) as group:
                rounds.extend(_rounds(group, load, number, f"generation {i} of {generations}"))
            errors |= group.errors
    bursts = {name: _lower_quartiles([bursts[name] for bursts in rounds]) for name in CONTENDERS if name not in errors}
    for name in CONTENDERS:
        if name in errors:
            table.fail(name, errors[name])
        else:
            table.add(name, *_cells(bursts[name], bursts[BARE]))
    yield table


def _rounds(group: SubprocessGroup, load: Subprocess, number: int, generation: str) -> Iterator[dict[str, Burst]]:
    say(f"throughput: {generation}")
    for name in group.names:
        _burst(group, load, name)
    for i in range(1, number + 1):
        say(f"throughput: {generation}", f"round {i} of {number}")
        bursts = {name: _burst(group, load, name) for name in group.names}
        yield {name: burst for name, burst in bursts.items() if burst is not None}


def _burst(group: SubprocessGroup, load: Subprocess, name: str) -> Burst | None:
    before = group.call(name)
    if before is None:
        return None
    port, cpu = before
    try:
        requests, took = load.call(port, _SECONDS)
    except MeasurementFailed as error:
        group.errors[name] = error
        return None
    after = group.call(name)
    return after and Burst(took / requests, (after[1] - cpu) / requests)


def _lower_quartiles(bursts: list[Burst]) -> Burst:
    return Burst(lower_quartile(burst.seconds for burst in bursts), lower_quartile(burst.cpu for burst in bursts))


def _cells(burst: Burst, bare: Burst) -> tuple[str, ...]:
    return (
        f"{1 / burst.seconds:,.0f}",
        f"{bare.seconds / burst.seconds:.2f}",
        f"{burst.cpu * 1e6:.0f}",
        f"{bare.cpu / burst.cpu:.2f}",
    )


def server(name: str, directory: Path) -> Callable[[], tuple[int, float]]:
    """Serve; returns a function that returns the port and the CPU seconds used so far."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(build(name, directory), access_log=False, log_level="warning"))
    threading.Thread(target=serving.run, args=([listening],), daemon=True).start()
    end = time.monotonic() + _TIMEOUT
    while not serving.started:
        if time.monotonic() > end:
            raise MeasurementFailed("uvicorn did not start")
        time.sleep(0.01)
    port: int = listening.getsockname()[1]
    return lambda: (port, time.process_time())


def client() -> Callable[[int, float], tuple[int, float]]:
    """Returns a function that sends the next request on a connection when a response is complete.

    It returns the number of responses, and the seconds that they took.
    """

    def measure(port: int, seconds: float) -> tuple[int, float]:
        length = response_length(port)
        connections = [socket.create_connection(("127.0.0.1", port), _TIMEOUT) for _ in range(_CONNECTIONS)]
        try:
            return keep_busy(connections, length, seconds)
        finally:
            for connection in connections:
                connection.close()

    return measure


def keep_busy(connections: list[socket.socket], length: int, seconds: float) -> tuple[int, float]:
    """The number of responses, and the seconds that they took."""
    responses = 0
    missing = dict.fromkeys(connections, length)
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(_REQUEST)
        while (took := time.perf_counter() - started) < seconds:
            for key, _ in selector.select(_TIMEOUT):
                connection = key.data
                missing[connection] -= _received(connection)
                if missing[connection] == 0:
                    responses += 1
                    missing[connection] = length
                    connection.sendall(_REQUEST)
    if not responses:
        raise MeasurementFailed("no answer came")
    return responses, took


def _received(connection: socket.socket) -> int:
    if not (data := connection.recv(65536)):
        raise MeasurementFailed("the server closed a connection")
    return len(data)


def response_length(port: int) -> int:
    """The length of a response, which is the same for all."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as connection:
        connection.sendall(_REQUEST)
        response = b""
        while not _is_complete(response):
            response += connection.recv(65536) or b"\r\n\r\n"
    if not response.startswith(b"HTTP/1.1 200 "):
        raise MeasurementFailed(f"the server answered {response[:40]!r}")
    return len(response)


def _is_complete(response: bytes) -> bool:
    head, separator, body = response.partition(b"\r\n\r\n")
    declared = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return bool(separator) and len(body) >= int(declared.partition(b":")[2])
