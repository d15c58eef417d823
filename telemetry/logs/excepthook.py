"""Logs the exceptions that were not handled, so that they are alerts like other errors, and redacted."""

import logging
import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Final, TypeAlias

from telemetry import semconv
from telemetry.environment.runbook import RunbookSection
from telemetry.logs.background import handler_guard
from telemetry.logs.background.log_writer import flush_all
from telemetry.logs.text_formatter import indented, one_line
from telemetry.redaction.policy import redact

ExceptionInfo: TypeAlias = tuple[type[BaseException], BaseException | None, TracebackType | None]
_FLUSH_TIMEOUT: Final = 1.0
_log: Final = logging.getLogger(__name__)
_SILENT: Final = (KeyboardInterrupt, SystemExit)


def install_excepthooks() -> None:
    """Install hooks for the main thread, other threads and unraisable exceptions. Hooks of others stay."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _handle_main
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _handle_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _handle_unraisable


def _handle_main(error_type: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(error_type, _SILENT):
        sys.__excepthook__(error_type, error, trace)
        return
    message = "The program ends: an exception was not handled."
    _report(logging.CRITICAL, message, (error_type, error, trace), RunbookSection.PROGRAM_ENDS)


def report_uncaught(error: BaseException) -> None:
    """Report an exception that ends the program like one that was not handled, and as redacted."""
    _handle_main(type(error), error, error.__traceback__)


def _handle_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "unknown"
        message = f"A thread ended: an exception was not handled. The thread is {name}."
        _report(
            logging.ERROR,
            message,
            (args.exc_type, args.exc_value, args.exc_traceback),
            RunbookSection.THREAD_ENDED,
        )


def _handle_unraisable(args: "sys.UnraisableHookArgs") -> None:
    """As in a finalizer. Of the object that it was raised in, only the class is safe to show."""
    place = type(args.object).__name__ if args.object is not None else "unknown"
    message = (
        f"{args.err_msg or 'Exception ignored'}: no code can handle it. It was raised in an object of class {place}."
    )
    _report(logging.ERROR, message, (args.exc_type, args.exc_value, args.exc_traceback), RunbookSection.UNRAISABLE)


def _report(level: int, message: str, exc_info: ExceptionInfo, section: str) -> None:
    """Log it, so that it becomes an alert and is in the files; write it to stderr if logging is not ours any more."""
    handler_guard.restore()
    if handler_guard.installed():
        extra = {semconv.COMPONENT: "app", semconv.ALERT_SECTION: str(section)}
        _log.log(level, message, exc_info=exc_info, extra=extra)  # type: ignore[arg-type]  # no value: fine
        flush_all(_FLUSH_TIMEOUT)
        return
    flush_all(_FLUSH_TIMEOUT)
    with suppress(Exception):  # stderr may be closed
        text = "".join(traceback.format_exception(*exc_info))
        sys.stderr.write(f"{one_line(redact(message))}\n{indented(redact(text))}\n")
