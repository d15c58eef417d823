"""Serving: the command `serve`, which checks that there is room for the service, says what will run, and hands over to uvicorn."""

import argparse
import logging
import os
import resource
import socket
from contextlib import suppress
from typing import Final

import uvicorn

from service.cli.banner import banner
from service.cli.output import complain, say
from service.jobs.schedule import JOBS
from service.sandbox.supervisor import is_sandbox_at
from service.scheduler.job import Schedule
from service.settings import SANDBOX_HOST, Settings
from telemetry.logs import setup_logging

GRACEFUL_SHUTDOWN_SECONDS: Final = 20
_APP: Final = "service.main:app"
_HTTP_PROTOCOL: Final = "service.api.http_protocol:BoundedHttpProtocol"
_log = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> int:
    """Serve the API. Several workers are started by uvicorn; what was said on the command line reaches them as variables."""
    given = {"HOST": options.host, "PORT": options.port, "SCHEDULER": "false" if options.no_scheduler else None}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    settings = Settings.read()
    if taken := _port_in_use(settings.host, settings.port) or _sandbox_port_in_use(settings):
        return complain(taken)
    setup_logging(settings)  # for what uvicorn itself has to say, the parent of several workers above all
    say(banner(settings, Schedule(settings, JOBS)))
    if settings.exposure_warning and not settings.on_loopback:
        _log.warning(settings.exposure_warning)
    _allow_many_connections()
    uvicorn.run(
        _APP,
        host=settings.host,
        port=settings.port,
        workers=options.workers,
        log_config=None,
        access_log=settings.log_level == "DEBUG",
        server_header=False,
        http=_HTTP_PROTOCOL,
        ws="none",
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
    return 0


def _allow_many_connections() -> None:
    """As many files as the system lets this process have: a connection is one, and the usual limit is 1,024."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _port_in_use(host: str, port: int) -> str | None:
    """A sentence when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"Cannot listen on {host}:{port} ({error.strerror}): choose another with --port, or PORT in .env."
    return None


def _sandbox_port_in_use(settings: Settings) -> str | None:
    """Another service's sandbox on the port is as good as an own one."""
    if not settings.sandbox or is_sandbox_at(SANDBOX_HOST, settings.sandbox_port):
        return None
    taken = _port_in_use(SANDBOX_HOST, settings.sandbox_port)
    return taken and taken.replace("--port, or PORT in .env", "SANDBOX_PORT in .env")
