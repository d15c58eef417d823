"""Starts uvicorn in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import httpx

_TIMEOUT = 60.0


@contextmanager
def served(*arguments: str, variables: Mapping[str, str], is_ready: Callable[[httpx.Client], bool]) -> Iterator[int]:
    """Serve while the context lasts. Gives the port.

    Raises:
        TimeoutError: the server was not ready in time.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = (*arguments, "--port", str(port), "--no-access-log", "--log-level", "critical")
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *options],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, is_ready)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int, is_ready: Callable[[httpx.Client], bool]) -> None:
    end = time.monotonic() + _TIMEOUT
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                if is_ready(client):
                    return
            time.sleep(0.1)
    raise TimeoutError("uvicorn did not start")
