"""The checks of `doctor` that need no database: configuration, directories, and the OTLP endpoints."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from service.settings import Settings
from telemetry import exporters, private_files
from telemetry.error_text import safe_text


class DiagnosticFailed(Exception):  # the message is a sentence for the operator
    """A check failed. The message says what is wrong and what to do; it may name paths, as it is not for the public."""


def check_configuration(settings: Settings) -> str:
    if settings.exposure_warning and not settings.on_loopback:
        raise DiagnosticFailed(
            f"OPS_TOKEN is not set, ENVIRONMENT is production and HOST is {settings.host}: set OPS_TOKEN, or HOST=127.0.0.1."
        )
    return "configuration valid"


def check_permissions(settings: Settings) -> str:
    """Check the permissions of existing files. New files are private; those of earlier versions may not be."""
    found = [str(path) for path in private_files.accessible_to_others({settings.data_dir, settings.log_dir})]
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004  # fits a line
        raise DiagnosticFailed(f"other users can read {shown}: chmod -R go= {settings.data_dir} {settings.log_dir}")
    return "DATA_DIR and LOG_DIR are readable by their owner only"


def check_otlp() -> str:
    """Check that the OTLP endpoints accept connections."""
    endpoints = {
        exporters.endpoint(signal) for signal in exporters.SIGNALS if "otlp" in exporters.exporter_names(signal)
    } - {""}
    for endpoint in endpoints:
        try:
            _connect(endpoint)
        except OSError as error:
            reason = f"{endpoint} cannot be reached ({safe_text(error)})"
            raise DiagnosticFailed(f"{reason}: start the Collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT.") from None
    return f"{', '.join(sorted(endpoints))} accepts connections" if endpoints else "not configured"


def _connect(endpoint: str) -> None:
    parts = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    with socket.create_connection((parts.hostname or "localhost", parts.port or 4318), timeout=2):
        pass


def check_writable(directory: Path) -> str:
    probe = directory / f".doctor-{uuid4().hex}"
    try:
        private_files.make_directory(directory)
        with probe.open("xb") as file:
            probe.unlink()  # before it is written: nothing is left behind
            file.write(os.urandom(16))
    except OSError as error:
        raise DiagnosticFailed(
            f"{directory} cannot be written ({error.strerror}): create it, or give this user write permission."
        ) from None
    return f"{directory} is writable"
