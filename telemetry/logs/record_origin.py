"""Finds in the thread of the caller what an alert needs of a log record: its place, and what tells it apart from others."""

import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType
from typing import Final

from telemetry import semconv
from telemetry.logs.exception_chain import leaves
from telemetry.logs.reported_errors import mark_reported_at
from telemetry.logs.source_location import (
    application_frames,
    frame_location,
    is_in_library,
    source_location,
    statement_location,
)

_DIRECTIVE: Final = re.compile(r"%(\(\w*\))?[-#0 +.\d*]*[a-zA-Z%]|\{[^{}]*\}")
_NUMBER: Final = re.compile(r"\W{0,3}\d[\d.,:/%-]*[a-zA-Zµ]{0,2}\W{0,3}")
_MAX_IDENTITY: Final = 2000
_LETTER: Final = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class RecordOrigin:
    """Where a record comes from, as its alert shows it.

    Attributes:
        location: the place in our own code, such as `shop/stock/sync.py:41 in sync_stock`.
        identity: what else tells the record apart from others of the same place.
        is_reported_elsewhere: whether another record has told of its exception.
    """

    location: str
    identity: str = ""
    is_reported_elsewhere: bool = False


origin_in_caller: Final[ContextVar[RecordOrigin | None]] = ContextVar("record_origin", default=None)
"""Set where the record is passed to another thread."""


def is_alert(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or semconv.ALERT_LEVEL in vars(record)


def origin_of(record: logging.LogRecord) -> RecordOrigin:
    """Called within the call that logs; the frames of that are read."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return _origin_of_statement(record)
    location = source_location(error) or statement_location(record)
    return RecordOrigin(location, _members(error), not mark_reported_at(error, record))


def _members(error: BaseException) -> str:
    """The classes and places of a group's members, in any order."""
    if not isinstance(error, BaseExceptionGroup):
        return ""
    return "\x1e".join(sorted({f"{type(each).__name__} {source_location(each)}" for each in leaves(error)}))


def _origin_of_statement(record: logging.LogRecord) -> RecordOrigin:
    statement = statement_location(record)
    frames = application_frames(sys._getframe(1))  # noqa: SLF001  # as logging itself does
    if is_in_library(record):
        nearest = next(frames, None)
        identity = _words(record) or statement
        return RecordOrigin(statement if nearest is None else frame_location(nearest), identity)
    return RecordOrigin(statement, _words(record) or _caller_of_helper(record, frames))


def _words(record: logging.LogRecord) -> str:
    """The words of an alert that somebody sends on purpose, without their numbers, since these may differ in a repeat.

    Of other records nothing. `5`, `95%`, `10:30` and `12ms` are numbers; `SKU-1` is a word.
    """
    is_event = semconv.ALERT_LEVEL in vars(record) and not vars(record).get(semconv.ALERT_CONDITION)
    return " ".join("#" if _NUMBER.fullmatch(word) else word for word in _first_words(record)) if is_event else ""


def _first_words(record: logging.LogRecord) -> list[str]:
    return record.getMessage()[:_MAX_IDENTITY].split()


def _caller_of_helper(record: logging.LogRecord, frames: Iterator[FrameType]) -> str:
    """Who called the function that logs, if that logs the words of its caller; else nothing."""
    inner = next((frame for frame in frames if frame.f_code.co_filename == record.pathname), None)
    if inner is None or _has_own_words(record.msg, inner):
        return ""
    caller = next((frame for frame in frames if frame.f_code is not inner.f_code), None)
    return "" if caller is None else frame_location(caller)


def _has_own_words(message: object, frame: FrameType) -> bool:
    """Whether the message is a text in the function that logs it, with more in it than placeholders."""
    if not isinstance(message, str) or message not in frame.f_code.co_consts:
        return False
    return bool(_LETTER.search(_DIRECTIVE.sub("", message)))
