"""Lines: a record as text, from which nothing secret and no forged line comes.

Whoever logs what a stranger sent could be made to write a line that looks like another record, or to move the cursor of a
terminal: in a message whatever is not printed is written as its escape, and what follows the first line is set in.
"""

import logging
import re
from typing import Final

from telemetry.redaction.policy import redact

FORMAT: Final = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
_INDENT: Final = "  "
# Control characters, line and paragraph separators, and what turns the direction of writing round.
_UNPRINTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def one_line(text: str) -> str:
    return text if text.isprintable() else _UNPRINTED.sub(_escape, text)


def indented(text: str) -> str:
    """Each of its lines further in than a record begins."""
    return "\n".join(f"{_INDENT}{one_line(line)}" for line in text.splitlines())


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    return _SHORT.get(letter) or (f"\\x{ord(letter):02x}" if ord(letter) <= 0xFF else f"\\u{ord(letter):04x}")  # noqa: PLR2004


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        record.message = redact(record.getMessage())
        record.asctime = self.formatTime(record)
        below = (traceback_of(record), record.stack_info)
        return "\n".join((one_line(self.formatMessage(record)), *(indented(redact(text)) for text in below if text)))


def traceback_of(record: logging.LogRecord) -> str:
    """As it is: formatted once for all handlers, of which others than ours may want it whole."""
    if record.exc_info and record.exc_info[0] and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""
