"""Throughput: uvicorn with one worker, and a client in another process that keeps it busy over loopback.

The contenders take turns. The ratio by the clock is what a user sees; the ratio by CPU time says the same of a server that is
kept busy, and is less disturbed by what else the machine does.
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
from bench.robust_mean import undisturbed
from bench.subprocess_runner import Failed, Remote, Team
from bench.table import Table

ROUNDS, QUICK_ROUNDS = 12, 4
_SECONDS = 0.3
_CONNECTIONS = 8
_PATIENCE = 20.0
_REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Burst:
    """In seconds, for each request: on the clock, and of the server's CPU."""

    seconds: float
    cpu: float


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    table = Table(
        f"Throughput: uvicorn, one worker, {_CONNECTIONS} connections over loopback",
        ["", "requests/s", "ratio", "CPU µs each", "ratio by CPU"],
    )
    number = QUICK_ROUNDS if quick else ROUNDS
    with Remote(client) as load, Team({name: (server, name, directory) for name in CONTENDERS}) as team:
        rounds = list(_rounds(team, load, number))
    bursts = {name: _undisturbed([bursts[name] for bursts in rounds]) for name in CONTENDERS if name not in team.errors}
    for name in CONTENDERS:
        if name in team.errors:
            table.fail(name, team.errors[name])
        else:
            table.add(name, *_figures(bursts[name], bursts[BARE]))
    yield table


def _rounds(team: Team, load: Remote, number: int) -> Iterator[dict[str, Burst]]:
    say("throughput")
    for name in team.names:
        _burst(team, load, name)
    for i in range(1, number + 1):
        say("throughput", f"round {i} of {number}")
        bursts = {name: _burst(team, load, name) for name in team.names}
        yield {name: burst for name, burst in bursts.items() if burst is not None}


def _burst(team: Team, load: Remote, name: str) -> Burst | None:
    before = team.ask(name)
    if before is None:
        return None
    port, cpu = before
    try:
        requests, took = load.ask(port, _SECONDS)
    except Failed as error:
        team.errors[name] = error
        return None
    after = team.ask(name)
    return after and Burst(took / requests, (after[1] - cpu) / requests)


def _undisturbed(bursts: list[Burst]) -> Burst:
    return Burst(undisturbed(burst.seconds for burst in bursts), undisturbed(burst.cpu for burst in bursts))


def _figures(burst: Burst, bare: Burst) -> tuple[str, ...]:
    return (
        f"{1 / burst.seconds:,.0f}",
        f"{bare.seconds / burst.seconds:.2f}",
        f"{burst.cpu * 1e6:.0f}",
        f"{bare.cpu / burst.cpu:.2f}",
    )


def server(name: str, directory: Path) -> Callable[[], tuple[int, float]]:
    """Serves, and says on which port and how much CPU it has used so far."""
    listening = socket.create_server(("127.0.0.1", 0))
    serving = uvicorn.Server(uvicorn.Config(build(name, directory), access_log=False, log_level="warning"))
    threading.Thread(target=serving.run, args=([listening],), daemon=True).start()
    end = time.monotonic() + _PATIENCE
    while not serving.started:
        if time.monotonic() > end:
            raise Failed("uvicorn did not start")
        time.sleep(0.01)
    port: int = listening.getsockname()[1]
    return lambda: (port, time.process_time())


def client() -> Callable[[int, float], tuple[int, float]]:
    """Sends the next request on a connection when its answer is complete; says how many answers came in how long."""

    def measure(port: int, seconds: float) -> tuple[int, float]:
        length = _length_of_an_answer(port)
        connections = [socket.create_connection(("127.0.0.1", port), _PATIENCE) for _ in range(_CONNECTIONS)]
        try:
            return _keep_busy(connections, length, seconds)
        finally:
            for connection in connections:
                connection.close()

    return measure


def _keep_busy(connections: list[socket.socket], length: int, seconds: float) -> tuple[int, float]:
    answers = 0
    missing = dict.fromkeys(connections, length)
    with selectors.DefaultSelector() as selector:
        started = time.perf_counter()
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ, connection)
            connection.sendall(_REQUEST)
        while (took := time.perf_counter() - started) < seconds:
            for key, _ in selector.select(_PATIENCE):
                connection = key.data
                missing[connection] -= _received(connection)
                if missing[connection] == 0:
                    answers += 1
                    missing[connection] = length
                    connection.sendall(_REQUEST)
    if not answers:
        raise Failed("no answer came")
    return answers, took


def _received(connection: socket.socket) -> int:
    if not (data := connection.recv(65536)):
        raise Failed("the server closed a connection")
    return len(data)


def _length_of_an_answer(port: int) -> int:
    """They are all alike: the head with its date, and the same JSON."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as connection:
        connection.sendall(_REQUEST)
        answer = b""
        while not _is_complete(answer):
            answer += connection.recv(65536) or b"\r\n\r\n"
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"the server answered {answer[:40]!r}")
    return len(answer)


def _is_complete(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    declared = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return bool(separator) and len(body) >= int(declared.partition(b":")[2])
