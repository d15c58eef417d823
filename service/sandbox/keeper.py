"""The keeper: sees to it that the sandbox runs as long as the service does, in a process of its own.

Every worker has a keeper. Whoever has the port keeps the sandbox; when it ends, however it ends, another one takes over.
"""

import http.client
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from service.sandbox.server import HEADER, MARK

POLL: Final = 1.0
_LOOK: Final = 0.05
_STARTS: Final = 15.0
_ENDS: Final = 3.0
_log = logging.getLogger(__name__)


def answers(host: str, port: int, timeout: float = 2.0) -> bool:
    """Whether a sandbox, and nothing else, answers there."""
    with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().getheader(HEADER) == MARK
        except (OSError, http.client.HTTPException):
            return False


class Keeper:
    """Starts the sandbox where none answers, and again when it has ended."""

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
            if answers(self._host, self._port):
                self._up.set()
                self._take_note()
                self._stop.wait(POLL)
            else:
                self._begin()

    def _take_note(self) -> None:
        """Whoever came second at the port has ended, and is a zombie until its parent has looked."""
        if self._process is not None:
            self._process.poll()

    def _begin(self) -> None:
        """One attempt. Whoever comes second at the port ends by itself, and finds the other one's sandbox answering."""
        self._end()
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603  # our own module
        deadline = time.monotonic() + _STARTS
        while not self._stop.wait(_LOOK) and self._process.poll() is None and time.monotonic() < deadline:
            if answers(self._host, self._port):
                return
        if self._process.poll() is not None and not answers(self._host, self._port):
            self._complain()
            self._stop.wait(POLL)

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            _log.error(
                "The sandbox cannot be started on port %d: set SANDBOX_PORT to one that is free.",
                self._port,
                extra={"component": "sandbox"},
            )

    def _end(self) -> None:
        """Its standard input ends, which it takes as the sign; one that does not is killed."""
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
