"""Copies a log record for another thread: with its message, and without what the code that logged it may still change."""

import logging
from typing import Any, Final

MAX_MESSAGE_CHARACTERS: Final = 256 * 1024
"""A longer message is cut, so that a queue of records is bounded in bytes."""
_MAX_DEPTH: Final = 4
_ITEM_CHARACTERS: Final = 16  # what an item of a container counts for itself
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({})))


def copy_record(record: logging.LogRecord) -> logging.LogRecord:
    """Raises what the arguments of the record raise, if they do not fit the message or cannot be printed."""
    message = record.getMessage()
    if len(message) > MAX_MESSAGE_CHARACTERS:
        message = f"{message[:MAX_MESSAGE_CHARACTERS]}… (cut, {len(message):,} characters)"
    copy = logging.makeLogRecord(vars(record))
    copy.msg, copy.args = message, ()
    for name in vars(copy).keys() - _STANDARD:
        vars(copy)[name] = _snapshot(vars(copy)[name])
    return copy


def size_of(copy: logging.LogRecord) -> int:
    """About how many characters the record has, without its traceback."""
    return sum(
        len(value) if isinstance(value, str) else _size_inside(value)
        for value in vars(copy).values()
        if isinstance(value, str | bytes | dict | list | tuple | set | frozenset)
    )


def _size_inside(value: Any, depth: int = 0) -> int:
    if isinstance(value, str | bytes):
        return _ITEM_CHARACTERS + len(value)
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return sum(_size_inside(key) + _size_inside(each, depth + 1) for key, each in value.items())
    if depth < _MAX_DEPTH and type(value) in (list, tuple, set, frozenset):
        return sum(_size_inside(each, depth + 1) for each in value)
    return _ITEM_CHARACTERS


def _snapshot(value: Any, depth: int = 0) -> Any:
    """Copies of containers; other values are kept, and read when the record is written."""
    if depth < _MAX_DEPTH:
        if isinstance(value, dict):
            return {key: _snapshot(each, depth + 1) for key, each in list(value.items())}
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(_snapshot(each, depth + 1) for each in list(value))
    return value
