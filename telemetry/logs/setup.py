"""Configures logging: the console, warnings in `alerts.log`, and optionally everything in a JSON file."""

import logging
from typing import Final

from telemetry.logs import cleanup, library_loggers
from telemetry.logs.background import handler_guard
from telemetry.logs.background.handler_guard import installed
from telemetry.logs.background.log_writer import LogWriter, flush_all
from telemetry.logs.background.queued_handler import CLOSE_TIMEOUT, QueuedHandler, RecordSink
from telemetry.logs.background.repeat_filter import RepeatFilter
from telemetry.logs.excepthook import install_excepthooks
from telemetry.logs.handlers import ConsoleHandler, FailsafeHandler
from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.rotating_file import ALERTS_FILE, RotatingFileHandler, json_file, require_writable
from telemetry.logs.text_formatter import TextFormatter
from telemetry.redaction.policy import POLICY
from telemetry.redaction.secret_sources import collect_secrets
from telemetry.settings import TelemetrySettings

CONSOLE: Final = "log_console"
FILES: Final = "log_files"
PIPELINE: Final = "log_pipeline"
"""The queues: a hung directory must not keep lines from the console, nor alerts from being sent."""
_CHECK_TIMEOUT: Final = 2.0
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
    files = LogWriter(FILES, _file_handlers(settings), RepeatFilter())
    problem = _directory_problem(settings, files)
    for file in files.handlers if problem else ():
        file.suppress_failure_report()
    console = LogWriter(CONSOLE, [ConsoleHandler(settings.log_level)], RepeatFilter())
    replaced = _install([console, files], settings.log_level)
    library_loggers.reroute_libraries(
        debug=settings.log_level == "DEBUG", rerouted=settings.rerouted_loggers, verbose=settings.verbose_loggers
    )
    logging.captureWarnings(capture=True)
    if problem and not any(handler.is_failing for handler in replaced):
        _log.warning("LOG_DIR %s cannot be written (%s): the console alone gets the logs.", settings.log_dir, problem)


def attach(handler: FailsafeHandler) -> None:
    """Let a handler take part in logging, with a queue and a thread of its own."""
    attach_sink(LogWriter(PIPELINE, [handler]))


def attach_sink(sink: RecordSink) -> None:
    """Let a sink take part in logging, also after `setup_logging` is called again."""
    if root_handler := installed():
        root_handler.writers = (*root_handler.writers, sink)
    else:
        logging.getLogger().addHandler(QueuedHandler(sink))


def detach_sink(sink: RecordSink) -> None:
    """Pass no further records to the sink."""
    if root_handler := installed():
        root_handler.writers = tuple(each for each in root_handler.writers if each is not sink)


def detach(handler: FailsafeHandler) -> None:
    """Pass the queued records to the handler, and no further ones."""
    root_handler = installed()
    for writer in root_handler.writers if root_handler else ():
        if isinstance(writer, LogWriter) and handler in writer.handlers:
            detach_sink(writer)
            writer.detach(CLOSE_TIMEOUT)


def end_logging() -> None:
    """Write all records so far, and wait for each one from now on, because the process may end at any moment."""
    if handler := installed():
        handler.always_waits = True
    handler_guard.release()
    flush_all(CLOSE_TIMEOUT)


def log_writers() -> tuple[LogWriter, ...]:
    """The writers of this process, each with a queue."""
    handler = installed()
    return tuple(each for each in handler.writers if isinstance(each, LogWriter)) if handler else ()


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


def _directory_problem(settings: TelemetrySettings, files: LogWriter) -> str:
    """Why the log directory cannot be written; empty if it can. The writer's thread looks, since the directory may hang."""
    problems = [f"no response within {_CHECK_TIMEOUT:.0f} s"]

    def check() -> None:
        try:
            require_writable(settings.log_dir, settings.service_name)
        except OSError as error:
            problems.append(error.strerror or str(error))
        else:
            problems.append("")

    files.run(check, _CHECK_TIMEOUT)
    return problems[-1]


def _install(writers: list[LogWriter], level: str) -> list[FailsafeHandler]:
    """Install our handler before those of others, in place of our earlier one. Returns what that one wrote to, closed.

    Ours comes first because it repairs records that cannot be formatted. One assignment replaces all handlers, so that no
    line is lost meanwhile.
    """
    root, earlier = logging.getLogger(), installed()
    attached = [each for each in earlier.writers if each.name not in {CONSOLE, FILES}] if earlier else []
    handler = QueuedHandler(*writers, *attached)
    root.handlers = [handler, *(each for each in root.handlers if each is not earlier)]
    handler_guard.guard(handler)
    root.setLevel(level)
    replaced = [each for each in earlier.writers if each not in attached] if earlier else []
    for writer in replaced:
        writer.close(CLOSE_TIMEOUT)
    return [handler for writer in replaced if isinstance(writer, LogWriter) for handler in writer.handlers]
