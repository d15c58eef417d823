"""Configures logging: the console, warnings in `alerts.log`, and optionally everything in a JSON file."""

import logging
from typing import Final

from telemetry.logs import cleanup, library_loggers
from telemetry.logs.excepthook import install_excepthooks
from telemetry.logs.handlers import ConsoleHandler
from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.repeat_filter import RepeatFilter
from telemetry.logs.rotating_file import ALERTS_FILE, RotatingFileHandler, json_file, require_writable
from telemetry.logs.text_formatter import TextFormatter
from telemetry.redaction.policy import POLICY
from telemetry.redaction.secret_sources import collect_secrets
from telemetry.settings import TelemetrySettings

_MAX_JSON_BYTES: Final = 20 * 1024 * 1024
_log = logging.getLogger(__name__)


def setup_logging(settings: TelemetrySettings | None = None) -> None:
    """Send the records of all loggers, also the server's and the libraries', to our handlers. Can be called repeatedly.

    Files that cannot be written are logged once as a warning, and tried again with each record.

    Args:
        settings: by default those of the environment.

    Raises:
        SettingsError: no settings were given, and an environment variable is invalid.
    """
    settings = settings or TelemetrySettings.read()
    POLICY.add_secrets(collect_secrets(settings))
    cleanup.set_service_name(settings.service_name)
    install_excepthooks()
    files = _file_handlers(settings)
    problem = _directory_problem(settings)
    for file in files if problem else ():
        file.suppress_failure_report()
    repeat_filter = RepeatFilter()
    for handler in (console := ConsoleHandler(settings.log_level), *files):
        handler.addFilter(repeat_filter)
    replaced = _install(logging.getLogger(), [console, *files], settings.log_level)
    library_loggers.reroute_libraries(
        debug=settings.log_level == "DEBUG", rerouted=settings.rerouted_loggers, verbose=settings.verbose_loggers
    )
    logging.captureWarnings(capture=True)
    if problem and not any(handler.is_failing for handler in replaced):
        _log.warning("LOG_DIR %s cannot be written (%s): the console alone gets the logs.", settings.log_dir, problem)


def flush_repeats() -> None:
    """Log the repeats that were counted instead of written, because the process or its logging ends."""
    for handler in logging.getLogger().handlers:
        for log_filter in handler.filters:
            if isinstance(log_filter, RepeatFilter):
                log_filter.flush()


def _file_handlers(settings: TelemetrySettings) -> list[RotatingFileHandler]:
    alerts = RotatingFileHandler(settings.log_dir / ALERTS_FILE, logging.WARNING)
    alerts.setFormatter(TextFormatter())
    if not settings.enable_json_logging:
        return [alerts]
    json_lines = RotatingFileHandler(
        settings.log_dir / json_file(settings.service_name), settings.log_level, max_bytes=_MAX_JSON_BYTES
    )
    json_lines.setFormatter(JsonFormatter())
    return [alerts, json_lines]


def _directory_problem(settings: TelemetrySettings) -> str:
    """Why the log directory cannot be written; empty if it can."""
    try:
        require_writable(settings.log_dir, settings.service_name)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _install(
    root: logging.Logger, handlers: list[logging.Handler], level: str
) -> list[ConsoleHandler | RotatingFileHandler]:
    """Install our handlers before those of others, in place of our earlier ones. Returns the earlier ones, closed.

    Ours come first because they repair records that cannot be formatted. One assignment replaces all handlers, so that no
    line is lost meanwhile.
    """
    earlier = [handler for handler in root.handlers if isinstance(handler, ConsoleHandler | RotatingFileHandler)]
    root.handlers = [*handlers, *(handler for handler in root.handlers if handler not in earlier)]
    root.setLevel(level)
    for handler in earlier:
        handler.close()
    return earlier
