"""Continuous profiles: the SDK of Pyroscope samples this process, and sends profiles to its server.

The SDK is not safe in a process that forks after `start`: each worker starts its own, when it begins to serve.
"""

import logging
import socket
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import TracerProvider

from telemetry.failsafe import failsafe
from telemetry.profiling.profiled_spans import ProfiledSpans
from telemetry.threads.daemon import start_daemon

STOP_SECONDS: Final = 1.0
"""How long the last profile may take. The SDK itself would wait for a server that hangs for 18 s."""
_CONNECT_SECONDS: Final = 2.0
_PORTS: Final = {"http": 80, "https": 443}
_log = logging.getLogger(__name__)


class ContinuousProfiler:
    """Sends profiles of this process while it runs. Nothing that fails here reaches the process.

    Args:
        address: of the server; None for a profiler that does nothing.
        provider: of the spans that lead to their profiles. Its resource names the application, its version and instance.
        role: a tag of all profiles, such as `scheduler`.
    """

    def __init__(self, address: str | None, provider: TracerProvider, role: str) -> None:
        self._address = address
        self._provider = provider
        self._role = role
        self._starting: threading.Thread | None = None

    def __enter__(self) -> None:
        """Start in a thread: loading the SDK takes a third of a second."""
        if self._address:
            self._starting = start_daemon(failsafe(self._start), "profiler-start")

    def __exit__(self, *_error: object) -> None:
        """Send the last profile, within `STOP_SECONDS`."""
        if self._starting is not None and (stopping := start_daemon(failsafe(self._stop), "profiler-stop")) is not None:
            stopping.join(STOP_SECONDS)

    def _start(self) -> None:
        pyroscope = import_module("pyroscope")
        named: Mapping[str, Any] = self._provider.resource.attributes
        tags = {
            "version": "service.version",
            "instance": "service.instance.id",
            "environment": "deployment.environment.name",
        }
        pyroscope.configure(
            application_name=str(named.get("service.name", "")),
            server_address=self._address,
            tags={"role": self._role, **{tag: str(named[name]) for tag, name in tags.items() if name in named}},
        )
        self._provider.add_span_processor(ProfiledSpans(pyroscope.add_thread_tag, pyroscope.remove_thread_tag))
        self._warn_if_unreachable()

    def _warn_if_unreachable(self) -> None:
        """The SDK says nothing of a server that is down."""
        url = urlsplit(str(self._address))
        try:
            socket.create_connection((url.hostname, url.port or _PORTS[url.scheme]), _CONNECT_SECONDS).close()
        except OSError as error:
            _log.warning(
                "PYROSCOPE_SERVER_ADDRESS=%s cannot be reached (%s): profiles are dropped until it can. "
                "This is logged once, at the start.",
                self._address,
                error.strerror or error,
            )

    def _stop(self) -> None:
        if self._starting is not None:
            self._starting.join()
        import_module("pyroscope").shutdown()
