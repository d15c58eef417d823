"""The keeper: sees to it that the sandbox runs as long as the service does, in a process of its own.

Every worker has a keeper. Whoever has the port keeps the sandbox; when it ends, however it ends, another one takes over.
"""

import http.client
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from service.sandbox.server import HEADER, MARK

POLL: Final = 1.0
_LOOK: Final = 0.05
_STARTS: Final = 15.0
_COMES_UP: Final = 60.0
_ENDS: Final = 3.0
_MISSES: Final = 4
_RAREST: Final = 60.0
_CODE: Final = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


def is_sandbox_at(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether a sandbox, and nothing else, answers there."""
    with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().getheader(HEADER) == MARK
        except (OSError, http.client.HTTPException):
            return False


def is_port_taken(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether anybody has the port."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False


def _environment() -> Mapping[str, str]:
    """Our own module is found wherever this process was started, and however it found it."""
    path = filter(None, (str(_CODE), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


class SandboxProcess:
    """Starts the sandbox where nobody has its port, and again when it has ended."""

    def __init__(self, host: str, port: int, journal: Path, arguments: Sequence[str] = ()) -> None:
        self._host = host
        self._port = port
        self._command = (
            *(sys.executable, "-m", "service.sandbox", "--with-parent"),
            *("--host", host, "--port", str(port), "--journal", str(journal), *arguments),
        )
        self._stop = threading.Event()
        self._up = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-keeper", daemon=True)
        self._misses = 0
        self._failures = 0
        self._complained = False

    def start(self) -> None:
        self._thread.start()

    def wait(self, timeout: float = _STARTS) -> bool:
        """Whether the sandbox answers, as soon as it does, or at the end of the timeout."""
        return self._up.wait(timeout)

    def stop(self) -> None:
        """Ends the sandbox, if this keeper has started it. Never longer than a few seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_ENDS)
        self._end()

    def _run(self) -> None:
        while not self._stop.is_set():
            if is_sandbox_at(self._host, self._port):
                self._found()
                self._stop.wait(POLL)
            elif is_port_taken(self._host, self._port):
                self._missed()
                self._stop.wait(POLL)
            else:
                self._begin()

    def _found(self) -> None:
        self._misses = self._failures = 0
        self._complained = False
        self._up.set()
        self._lives()

    def _lives(self) -> bool:
        """Whoever came second at the port has ended, and is a zombie until its parent has looked."""
        return self._process is not None and self._process.poll() is None

    def _missed(self) -> None:
        """Somebody has the port, and does not answer as a sandbox does: one that begins or is busy, or something else."""
        self._misses += 1
        if self._misses < _MISSES:
            return
        if self._lives():
            self._end()
        else:
            self._complain("Port %d is not the sandbox's: set SANDBOX_PORT to one that is free.", self._port)

    def _begin(self) -> None:
        """One attempt. Whoever comes second at the port ends by itself, and finds the other one's sandbox answering."""
        self._end()
        if self._stop.is_set():
            return
        process = subprocess.Popen(  # noqa: S603  # our own module
            self._command, stdin=subprocess.PIPE, env=_environment(), start_new_session=True
        )
        self._process, deadline = process, time.monotonic() + _COMES_UP
        while not self._stop.wait(_LOOK) and process.poll() is None and time.monotonic() < deadline:
            if is_sandbox_at(self._host, self._port):
                return
        code = process.poll()
        if code is not None and not self._stop.is_set() and not is_port_taken(self._host, self._port):
            self._failed(code)

    def _failed(self, code: int) -> None:
        """It costs a second of computing each time, so the next attempts come later and later."""
        self._failures += 1
        self._complain("The sandbox ended with code %s when it was started; it has said why.", code)
        self._stop.wait(min(POLL * 2**self._failures, _RAREST))

    def _complain(self, sentence: str, *about: object) -> None:
        """Once, until it answers again."""
        if not self._complained:
            self._complained = True
            _log.error(sentence, *about, extra={"component": "sandbox"})

    def _end(self) -> None:
        """Its standard input ends, which it takes as the sign; one that does not is killed."""
        self._misses = 0
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ENDS)
