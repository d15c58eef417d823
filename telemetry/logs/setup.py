"""Sends log lines to the console, warnings to `alerts.log`, and, if that is wanted, everything to a JSON file."""

import logging
from typing import Final

from telemetry import error_text
from telemetry.logs import cleanup, library_loggers
from telemetry.logs.excepthook import install_excepthooks
from telemetry.logs.handlers import ConsoleHandler
from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.repeat_filter import RepeatFilter
from telemetry.logs.rotating_file import ALERTS_FILE, RotatingFileHandler, json_file, require_writable
from telemetry.logs.text_formatter import TextFormatter
from telemetry.redaction.policy import POLICY
from telemetry.redaction.secret_sources import secrets_of
from telemetry.settings import TelemetrySettings

_JSON_BYTES: Final = 20 * 1024 * 1024
_log = logging.getLogger(__name__)


def setup_logging(settings: TelemetrySettings | None = None) -> None:
    """Send every logger's records the same way, the server's and the libraries' too. More than once is harmless.

    Files that cannot be written are one warning; they are tried again with each record.

    Raises:
        SettingsError: no settings were given, and a variable has a value that it may not have.
    """
    settings = settings or TelemetrySettings.read()
    POLICY.learn(secrets_of(settings))
    error_text.set_migration_hint(settings.migration_hint)
    cleanup.set_service_name(settings.service_name)
    install_excepthooks()
    files = _files(settings)
    trouble = _trouble(settings)
    for file in files if trouble else ():
        file.fail_silently()
    repeats = RepeatFilter()
    for handler in (console := ConsoleHandler(settings.log_level), *files):
        handler.addFilter(repeats)
    earlier = _install(logging.getLogger(), [console, *files], settings.log_level)
    library_loggers.reroute_libraries(
        debug=settings.log_level == "DEBUG", rerouted=settings.rerouted_loggers, verbose=settings.verbose_loggers
    )
    logging.captureWarnings(capture=True)
    if trouble and not any(handler.failing for handler in earlier):
        _log.warning("LOG_DIR %s cannot be written (%s): the console alone gets the logs.", settings.log_dir, trouble)


def flush_repeats() -> None:
    """What was counted instead of written is told of now: the process ends, or its logging does."""
    for handler in logging.getLogger().handlers:
        for each in handler.filters:
            if isinstance(each, RepeatFilter):
                each.flush()


def _files(settings: TelemetrySettings) -> list[RotatingFileHandler]:
    alerts = RotatingFileHandler(settings.log_dir / ALERTS_FILE, logging.WARNING)
    alerts.setFormatter(TextFormatter())
    if not settings.enable_json_logging:
        return [alerts]
    lines = RotatingFileHandler(
        settings.log_dir / json_file(settings.service_name), settings.log_level, max_bytes=_JSON_BYTES
    )
    lines.setFormatter(JsonFormatter())
    return [alerts, lines]


def _trouble(settings: TelemetrySettings) -> str:
    """Why the directory cannot be written to; empty when it can."""
    try:
        require_writable(settings.log_dir, settings.service_name)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _install(
    root: logging.Logger, ours: list[logging.Handler], level: str
) -> list[ConsoleHandler | RotatingFileHandler]:
    """Put ours in, in front of what others have put there. Returns ours of an earlier time, put away.

    In front, since ours repair a record that cannot be formatted. In one assignment, so that no line falls between.
    """
    earlier = [handler for handler in root.handlers if isinstance(handler, ConsoleHandler | RotatingFileHandler)]
    root.handlers = [*ours, *(handler for handler in root.handlers if handler not in earlier)]
    root.setLevel(level)
    for handler in earlier:
        handler.close()
    return earlier
