"""Runs the sandbox in a process of its own, for as long as the service runs.

Every worker has a supervisor. The one that gets the port runs the sandbox. If it ends, however it ends, another takes over.
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

from service.sandbox.server import SANDBOX_HEADER, SANDBOX_HEADER_VALUE

POLL_SECONDS: Final = 1.0
_STARTUP_POLL_SECONDS: Final = 0.05
_READY_TIMEOUT: Final = 15.0
_STARTUP_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 3.0
_MAX_MISSES: Final = 4
_MAX_RETRY_SECONDS: Final = 60.0
_SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]
ATTRIBUTES: Final = {"component": "sandbox", "alert.section": "message-the-sandbox-does-not-start"}
"""Of its alerts. The sandbox imports nothing of the telemetry."""
_log = logging.getLogger(__name__)


def is_sandbox_at(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether a sandbox answers at this address."""
    with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().getheader(SANDBOX_HEADER) == SANDBOX_HEADER_VALUE
        except (OSError, http.client.HTTPException):
            return False


def is_port_taken(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether any process listens on the port."""
    try:
        with socket.create_connection((host, port), timeout):
            return True
    except OSError:
        return False


def _environment() -> Mapping[str, str]:
    """This process's environment, with the path of our own source: the child finds it from any directory."""
    path = filter(None, (str(_SOURCE_ROOT), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


class SandboxProcess:
    """Starts the sandbox if its port is free, and again when it has ended."""

    def __init__(self, host: str, port: int, journal: Path, arguments: Sequence[str] = ()) -> None:
        self._host = host
        self._port = port
        self._command = (
            *(sys.executable, "-m", "service.sandbox", "--with-parent"),
            *("--host", host, "--port", str(port), "--journal", str(journal), *arguments),
        )
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-keeper", daemon=True)
        self._misses = 0
        self._failures = 0
        self._error_logged = False

    def start(self) -> None:
        """Start to supervise, in a thread."""
        self._thread.start()

    def wait(self, timeout: float = _READY_TIMEOUT) -> bool:
        """Wait until the sandbox answers. Returns whether it does."""
        return self._ready.wait(timeout)

    def stop(self) -> None:
        """Stop the sandbox if this object has started it. Takes a few seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT)
        self._stop_process()

    def _run(self) -> None:
        while not self._stop.is_set():
            if is_sandbox_at(self._host, self._port):
                self._on_answer()
                self._stop.wait(POLL_SECONDS)
            elif is_port_taken(self._host, self._port):
                self._on_miss()
                self._stop.wait(POLL_SECONDS)
            else:
                self._start_process()

    def _on_answer(self) -> None:
        self._misses = self._failures = 0
        self._error_logged = False
        self._ready.set()
        self._is_process_running()

    def _is_process_running(self) -> bool:
        """Also reaps a process that has ended because another one has the port."""
        return self._process is not None and self._process.poll() is None

    def _on_miss(self) -> None:
        """The port is taken, and no sandbox answers: one that starts or is busy, or another program."""
        self._misses += 1
        if self._misses < _MAX_MISSES:
            return
        if self._is_process_running():
            self._stop_process()
        else:
            self._log_error_once("Port %d is not the sandbox's: set SANDBOX_PORT to one that is free.", self._port)

    def _start_process(self) -> None:
        """One attempt. If another worker was first, our process ends, and the other sandbox answers."""
        self._stop_process()
        if self._stop.is_set():
            return
        process = subprocess.Popen(  # noqa: S603  # our own module
            self._command, stdin=subprocess.PIPE, env=_environment(), start_new_session=True
        )
        self._process, deadline = process, time.monotonic() + _STARTUP_TIMEOUT
        while not self._stop.wait(_STARTUP_POLL_SECONDS) and process.poll() is None and time.monotonic() < deadline:
            if is_sandbox_at(self._host, self._port):
                return
        code = process.poll()
        if code is not None and not self._stop.is_set() and not is_port_taken(self._host, self._port):
            self._on_failed_start(code)

    def _on_failed_start(self, code: int) -> None:
        """Wait before the next attempt, longer each time: each start costs a second of CPU time."""
        self._failures += 1
        self._log_error_once(
            "The sandbox ended with code %s at its start. The log lines before this one say why.", code
        )
        self._stop.wait(min(POLL_SECONDS * 2**self._failures, _MAX_RETRY_SECONDS))

    def _log_error_once(self, sentence: str, *arguments: object) -> None:
        """Log an error, unless one was logged since the last answer."""
        if not self._error_logged:
            self._error_logged = True
            _log.error(sentence, *arguments, extra=ATTRIBUTES)

    def _stop_process(self) -> None:
        """Close the standard input of the process, which stops it. Kill it if it does not stop in time."""
        self._misses = 0
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_TIMEOUT)
