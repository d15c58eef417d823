"""Uncaught: the traceback that Python itself writes when nobody has caught an exception, as the policy lets it out."""

import sys
import threading
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Final

from telemetry.logs.text_formatter import indented
from telemetry.redaction.policy import redact

_SILENT: Final = (KeyboardInterrupt, SystemExit)


def install_excepthooks() -> None:
    """For the main thread, for other threads, and for what is raised where nobody could catch it. Hooks of others stay."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _main
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable


def _main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, _SILENT):
        sys.__excepthook__(kind, error, trace)
        return
    _write("", kind, error, trace)


def _thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "a thread"
        _write(f"Exception in {name}:\n", args.exc_type, args.exc_value, args.exc_traceback)


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    _write("Exception that nobody could catch:\n", args.exc_type, args.exc_value, args.exc_traceback)


def _write(about: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    with suppress(Exception):  # stderr may be gone
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(f"{about}{indented(redact(text))}\n")
