"""Formats a log record as text, without secrets and safe against log injection.

Text from outside could imitate another record, or control a terminal. Unprintable characters are therefore escaped, and
lines after the first are indented.
"""

import logging
from typing import Final

from telemetry.redaction.policy import redact, redact_value

_INDENT: Final = "  "
# Control characters, line and paragraph separators, and characters that change the direction of writing. No pattern: a call
# of `re.sub` for each character would take half a microsecond, and a client may send a text of nothing else.
UNPRINTABLE: Final = (
    *range(0x20),
    *range(0x7F, 0xA0),
    0x61C,
    *range(0x200E, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
)
_SHORT_ESCAPES: Final = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}
_ESCAPES: Final = {
    code: _SHORT_ESCAPES.get(code) or (f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}")  # noqa: PLR2004
    for code in UNPRINTABLE
}


def one_line(text: str) -> str:
    """Escape everything in the text that is not printable, line ends included."""
    return text if text.isprintable() else text.translate(_ESCAPES)


def indented(text: str) -> str:
    """Indent each line, so that none looks like the beginning of a record."""
    return "\n".join(f"{_INDENT}{one_line(line)}" for line in text.splitlines())


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.message = redact(record.getMessage())
        record.asctime = self.formatTime(record)
        name, level = redact_value(record.name), redact_value(record.levelname)
        line = one_line(f"{record.asctime} - {name} - {level} - {record.message}")
        blocks = (formatted_traceback(record), record.stack_info)
        return "\n".join((line, *(indented(redact(text)) for text in blocks if text)))


def formatted_traceback(record: logging.LogRecord) -> str:
    """The traceback, not redacted: it is cached in the record, where handlers of others may need it whole."""
    if record.exc_info and record.exc_info[0] and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""
