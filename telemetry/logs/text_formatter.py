"""Formats a log record as text, without secrets and safe against log injection.

Text from outside could imitate another record, or control a terminal. Unprintable characters are therefore escaped, and
lines after the first are indented.
"""

import logging
import re
from typing import Final

from telemetry.redaction.policy import redact

FORMAT: Final = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
_INDENT: Final = "  "
# Control characters, line and paragraph separators, and characters that change the direction of writing.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SHORT_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def one_line(text: str) -> str:
    """Escape everything in the text that is not printable, line ends included."""
    return text if text.isprintable() else _UNPRINTABLE.sub(_escape, text)


def indented(text: str) -> str:
    """Indent each line, so that none looks like the beginning of a record."""
    return "\n".join(f"{_INDENT}{one_line(line)}" for line in text.splitlines())


def _escape(match: re.Match[str]) -> str:
    letter = match[0]
    return _SHORT_ESCAPES.get(letter) or (f"\\x{ord(letter):02x}" if ord(letter) <= 0xFF else f"\\u{ord(letter):04x}")  # noqa: PLR2004


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        record.message = redact(record.getMessage())
        record.asctime = self.formatTime(record)
        blocks = (formatted_traceback(record), record.stack_info)
        return "\n".join((one_line(self.formatMessage(record)), *(indented(redact(text)) for text in blocks if text)))


def formatted_traceback(record: logging.LogRecord) -> str:
    """The traceback, not redacted: it is cached in the record, where handlers of others may need it whole."""
    if record.exc_info and record.exc_info[0] and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""
