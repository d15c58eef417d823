"""Log handlers whose failures never reach the code that logs; each failure is reported once on stderr.

`logging` itself prints a traceback for every record that it cannot write. With `raiseExceptions` off, it silently drops a
record whose arguments do not fit. Here such a record becomes a line that says what was logged and where.
"""

import logging
import sys
from contextlib import suppress
from typing import TextIO

from telemetry.logs.text_formatter import TextFormatter

_log = logging.getLogger(__name__)


class FailsafeHandler(logging.Handler):
    """A mix-in, to be put before a handler class. `destination` is the name of the handler in its failure report."""

    destination = "a log handler"
    _failures = 0

    @property
    def is_failing(self) -> bool:
        return self._failures > 0

    def suppress_failure_report(self) -> None:
        """Do not report the next failure: the caller has reported it. After a success, failures are reported again."""
        self._failures += 1

    def abandon(self) -> None:
        """Take part in nothing any more: a thread hangs in this handler, and the process ends."""

    def forget_stream(self) -> None:
        """Open a new stream for the next record: in a forked child, the old one is the parent's."""

    def emit(self, record: logging.LogRecord) -> None:
        before = self._failures
        try:
            super().emit(record)
        except Exception:  # noqa: BLE001  # an edge: OpenTelemetry's handler raises into the code that logs
            self.handleError(record)
        if self._failures == before:
            self._failures = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        if _repair_message(record):
            self.emit(record)
            return
        self._failures += 1
        if self._failures == 1:
            _report_failure(self.destination, sys.exc_info()[1])


def _repair_message(record: logging.LogRecord) -> bool:
    """Replace a message that its arguments do not fit. Returns False if the message was not the problem."""
    try:
        record.getMessage()
    except Exception as error:  # noqa: BLE001  # a foreign `__str__` may raise anything
        where = f"{record.pathname}:{record.lineno}"
        record.msg = (
            f"{_repr(record.msg)} does not fit {_repr(record.args)} ({type(error).__name__}, logged at {where})"
        )
        record.args = ()
        return True
    return False


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # as above
        return f"<{type(value).__name__}>"


def _report_failure(destination: str, error: BaseException | None) -> None:
    """Write to stderr directly: logging could deadlock with a thread that takes the handlers' locks in another order."""
    with suppress(Exception):
        text = f"{destination} cannot be written ({error}). It is tried again with each line."
        record = _log.makeRecord(_log.name, logging.WARNING, __file__, 0, text, (), None)
        sys.stderr.write(f"{TextFormatter().format(record)}\n")


class ConsoleHandler(FailsafeHandler, logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, as `logging.lastResort` does."""

    destination = "stderr"

    def __init__(self, level: int | str) -> None:
        logging.Handler.__init__(self, level)
        self.setFormatter(TextFormatter())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr
