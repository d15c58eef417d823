"""FailsafeHandler: a handler that cannot write says so once on stderr, and whoever logs never hears of it.

`logging` itself prints a traceback for every record that it cannot write, or, with `raiseExceptions` off, drops a record
whose arguments don't fit without a word. Here such a record becomes a line that says what was meant and where.
"""

import logging
import sys
from contextlib import suppress
from typing import TextIO

from telemetry.logs.text_formatter import TextFormatter

_log = logging.getLogger(__name__)


class FailsafeHandler(logging.Handler):
    """Mixed in before a handler. `destination` is what the one complaint calls it."""

    destination = "a log handler"
    _failures = 0

    @property
    def failing(self) -> bool:
        return self._failures > 0

    def fail_silently(self) -> None:
        """The first failure has been spoken of already; the next one that counts comes after a success."""
        self._failures += 1

    def emit(self, record: logging.LogRecord) -> None:
        before = self._failures
        try:
            super().emit(record)
        except Exception:  # noqa: BLE001  # the edge: OpenTelemetry's handler lets everything through to whoever logs
            self.handleError(record)
        if self._failures == before:
            self._failures = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        if _made_readable(record):
            self.emit(record)
            return
        self._failures += 1
        if self._failures == 1:
            _complain(self.destination, sys.exc_info()[1])


def _made_readable(record: logging.LogRecord) -> bool:
    """Give a record whose arguments don't fit its message one that can be read; False if that was not the trouble."""
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
    except Exception:  # noqa: BLE001  # the same
        return f"<{type(value).__name__}>"


def _complain(destination: str, error: BaseException | None) -> None:
    """Past the logging: its handlers' locks are held here, and another thread may hold them the other way round."""
    with suppress(Exception):
        text = f"{destination} cannot be written ({error}). It is tried again with each line."
        record = _log.makeRecord(_log.name, logging.WARNING, __file__, 0, text, (), None)
        sys.stderr.write(f"{TextFormatter().format(record)}\n")


class ConsoleHandler(FailsafeHandler, logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the moment, as logging's own last resort does."""

    destination = "stderr"

    def __init__(self, level: int | str) -> None:
        logging.Handler.__init__(self, level)
        self.setFormatter(TextFormatter())

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there
        return sys.stderr
