"""Programs: real processes with real ports, each with a log of its own, and none that outlives its test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx

ROOT: Final = Path(__file__).resolve().parents[2]
SOON: Final = 40.0  # the bound of a wait for something that takes a second or two on an idle machine
_KEPT: Final = frozenset({"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH"})
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(look: Callable[[], T], within: float = SOON) -> T:
    """What `look` returns as soon as that is true; an assertion that fails or a connection refused is tried again."""
    end = time.monotonic() + within
    while True:
        try:
            if found := look():
                return found
            wrong: Exception = AssertionError(f"still {found!r}")
        except (AssertionError, httpx.TransportError, OSError) as error:
            wrong = error
        if time.monotonic() > end:
            raise AssertionError(f"Not within {within} s: {wrong}") from wrong
        time.sleep(0.02)


@dataclass(frozen=True)
class Program:
    """A process in a group of its own, with its children. `port` is where it serves, if it does."""

    process: subprocess.Popen[bytes]
    port: int
    out: Path
    err: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 10.0, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=timeout, trust_env=False)

    def wait_for(self, path: str, status: int = 200, within: float = SOON) -> httpx.Response:
        def look() -> httpx.Response:
            assert self.process.poll() is None, self.said()
            answer = self.get(path)
            assert answer.status_code == status, f"{path} is {answer.status_code}: {answer.text}\n{self.said()}"
            return answer

        return eventually(look, within)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def tell(self, number: signal.Signals) -> float:
        """Send a signal, as a terminal does with Ctrl-C; the moment at which it was sent."""
        told = time.monotonic()
        self.process.send_signal(number)
        return told

    def exit_code(self, within: float = SOON) -> int:
        return self.process.wait(within)

    def said(self) -> str:
        return f"{self.out.read_text()}{self.err.read_text()}"

    def kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group is gone
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(5)


def answers(program: Program, path: str) -> bool:
    """Whether it says at this moment that all is well there."""
    try:
        return program.get(path, timeout=5).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


class Programs:
    """Starts programs in a directory of the test's, with the repository on their path."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._started: list[Program] = []

    def serve(self, *arguments: str, **environment: str) -> Program:
        """`python -m service serve` on a free port."""
        return self.start("-m", "service", "serve", *arguments, **environment)

    def uvicorn(self, app: str, *arguments: str, **environment: str) -> Program:
        port = free_port()
        return self.start("-m", "uvicorn", app, "--port", str(port), *arguments, port=port, **environment)

    def start(self, *arguments: str, port: int | None = None, **environment: str) -> Program:
        """Python, with these arguments and variables."""
        port = port or free_port()
        return self.start_command(sys.executable, *arguments, port=port, **environment)

    def start_command(self, *command: str, port: int, **environment: str) -> Program:
        number = len(self._started)
        out, err = self.home / f"{number}.out", self.home / f"{number}.err"
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                command,
                cwd=self.home,
                env=self.environment(PORT=str(port), **environment),
                stdin=subprocess.DEVNULL,
                stdout=to_out,
                stderr=to_err,
                start_new_session=True,
            )
        program = Program(process, port, out, err)
        self._started.append(program)
        return program

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Python, to its end, with these arguments and variables."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.home,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SOON * 2,
            check=False,
        )

    def environment(self, **given: str) -> Mapping[str, str]:
        """Nothing of the developer's own settings; but coverage may follow."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("COVERAGE_")}
        return {**kept, "PYTHONPATH": os.pathsep.join((str(ROOT), str(self.home))), **given}

    def write(self, name: str, source: str) -> Path:
        """A module that the programs can import."""
        path = self.home / name
        path.write_text(source)
        return path

    def kill(self) -> None:
        for program in self._started:
            program.kill()
