"""Redacts the tracebacks that Python writes for uncaught exceptions."""

import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Final

from telemetry.logs.background.log_writer import flush_all
from telemetry.logs.text_formatter import indented
from telemetry.redaction.policy import redact

_FLUSH_TIMEOUT: Final = 1.0
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
    flush_all(_FLUSH_TIMEOUT)
    _write("", error_type, error, trace)


def _handle_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        flush_all(_FLUSH_TIMEOUT)
        name = args.thread.name if args.thread else "a thread"
        _write(f"Exception in {name}:\n", args.exc_type, args.exc_value, args.exc_traceback)


def _handle_unraisable(args: "sys.UnraisableHookArgs") -> None:
    _write("Exception that nobody could catch:\n", args.exc_type, args.exc_value, args.exc_traceback)


def _write(
    heading: str, error_type: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    with suppress(Exception):  # stderr may be closed
        text = "".join(traceback.format_exception(error_type, error, trace))
        sys.stderr.write(f"{heading}{indented(redact(text))}\n")
