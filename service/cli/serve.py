"""The command `serve`: checks the ports, the directories and the database's version, prints the banner, and runs uvicorn."""

import argparse
import logging
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvicorn

from service.cli.banner import banner
from service.cli.output import complain, say
from service.database import migrations
from service.jobs.schedule import JOBS
from service.sandbox.supervisor import is_sandbox_at
from service.scheduler.job import Schedule
from service.settings import SANDBOX_HOST, Settings
from telemetry.database import create_engine
from telemetry.logs import setup_logging
from telemetry.redaction import harmless_or_hidden
from telemetry.threads.daemon_executor import DaemonExecutor

GRACEFUL_SHUTDOWN_SECONDS: Final = 20
WORKER_ANSWER_SECONDS: Final = 15
"""A worker that does not answer its parent for so long is replaced.

With less than a start takes on a busy machine, no worker ever comes up. With more, one that is killed just when it is asked is
missed for longer.
"""
START_CHECK_SECONDS: Final = 3.0
STARTUP_FAILED: Final = 3
"""uvicorn's exit code when the application does not start."""
_APP: Final = "service.main:app"
_HTTP_PROTOCOL: Final = "service.api.edge.http_protocol:BoundedHttpProtocol"
_log = logging.getLogger(__name__)


def serve(options: argparse.Namespace) -> int:
    """Serve the API. uvicorn starts the workers; options of the command line reach them as environment variables."""
    given = {"HOST": options.host, "PORT": options.port, "SCHEDULER": "false" if options.no_scheduler else None}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    settings = Settings.read()
    if taken := _port_in_use(settings.host, settings.port) or _sandbox_port_in_use(settings):
        return complain(taken)
    if unusable := _unusable(settings):
        return complain(unusable)
    setup_logging(settings)  # for uvicorn's own messages, mostly in the parent process of several workers
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
        timeout_worker_healthcheck=WORKER_ANSWER_SECONDS,
    )
    return 0


def _allow_many_connections() -> None:
    """Raise the limit of open files to the maximum: each connection is one, and the usual limit is 1,024."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _unusable(settings: Settings) -> str | None:
    """A sentence for the operator about a volume that this start cannot work with; None if there is none.

    What does not respond in time may recover: the service starts, and its health checks report it.
    """
    for check in (
        lambda: _denied_directory("DATA_DIR", settings.data_dir),
        lambda: None if _is_read_only(settings.log_dir) else _denied_directory("LOG_DIR", settings.log_dir),
        lambda: _newer_database(settings),
    ):
        with suppress(TimeoutError, RuntimeError):
            if problem := DaemonExecutor(1, "start-check").submit(check).result(START_CHECK_SECONDS):
                return problem
    return None


def _denied_directory(variable: str, directory: Path) -> str | None:
    """A sentence if this user may not write there, such as a volume of another user; None if it may."""
    try:
        may_write = not directory.is_dir() or os.access(directory, os.R_OK | os.W_OK | os.X_OK)
    except PermissionError:  # of a directory above it
        may_write = False
    said = f"{variable}={directory} is not writable for user {os.geteuid()}"
    return None if may_write else f"{said}: change its owner (chown), or set another {variable}."


def _is_read_only(directory: Path) -> bool:
    """Whether the filesystem is: then the console alone gets the logs, and a warning says so."""
    try:
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _newer_database(settings: Settings) -> str | None:
    """A sentence if a newer version has migrated the database; None if not, or if the database is unavailable for now."""
    engine = create_engine(settings.url, settings.service_name)
    try:
        migrations.require_not_newer(engine)
    except migrations.DatabaseNewer as error:
        return f"DATABASE_URL: {error}, or restore a backup."
    except Exception:  # noqa: BLE001  # it may be unavailable for any reason: the service starts, and tries again
        return None
    else:
        return None
    finally:
        engine.dispose()


def _port_in_use(host: str, port: int) -> str | None:
    """A sentence for the operator if the address cannot be bound; None if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"Cannot listen on {harmless_or_hidden(host)}:{port} ({error.strerror}): choose another with --port, or PORT in .env."
    return None


def _sandbox_port_in_use(settings: Settings) -> str | None:
    """A sentence for the operator if the port is taken by anything but another sandbox, which can be shared."""
    if not settings.sandbox or is_sandbox_at(SANDBOX_HOST, settings.sandbox_port):
        return None
    taken = _port_in_use(SANDBOX_HOST, settings.sandbox_port)
    return taken and taken.replace("--port, or PORT in .env", "SANDBOX_PORT in .env")
