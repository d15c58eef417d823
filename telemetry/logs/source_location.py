"""Origin: where in our own code an error comes from, and whether it is the database's, told from a log record's live exception."""

import logging
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any, Final

from telemetry import semconv
from telemetry.semconv import DATABASE_COMPONENT

_MARK: Final = "_telemetry_told_at"
_MAX_CHAIN: Final = 10  # exceptions of a chain, and then frames of a traceback:
_MAX_FRAMES: Final = 500
_AWAY: Final = frozenset(
    {
        ("sqlalchemy.exc", "OperationalError"),
        ("sqlalchemy.exc", "InterfaceError"),
        ("sqlalchemy.exc", "TimeoutError"),
        ("sqlalchemy.exc", "DisconnectionError"),
        ("psycopg", "OperationalError"),
        ("psycopg.errors", "OperationalError"),
        ("sqlite3", "OperationalError"),
    }
)
_LIBRARIES: Final = tuple(
    {
        str(Path(path).resolve())
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
    | {str(Path(path).resolve()) for path in sys.path if path.endswith(("site-packages", "dist-packages"))}
)
_TELEMETRY: Final = str(Path(__file__).resolve().parents[1])


def with_source_location(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of a record that says where it comes from, in attributes; other handlers see nothing of them."""
    copy = logging.makeLogRecord(vars(record))
    error = record.exc_info[1] if record.exc_info else None
    attributes = vars(copy)
    if error is None:
        attributes[semconv.ALERT_LOCATION] = _location(record.pathname, record.lineno, record.funcName)
        return copy
    attributes[semconv.ALERT_LOCATION] = source_location(error) or _location(
        record.pathname, record.lineno, record.funcName
    )
    if is_reported_elsewhere(error, (record.pathname, record.lineno)):
        attributes[semconv.ALERT_REPORTED_ELSEWHERE] = True
    if is_from_database(error):
        attributes[semconv.ALERT_INHIBITED_BY] = DATABASE_COMPONENT
    return copy


def source_location(error: BaseException) -> str:
    """The innermost frame of our own code, such as `shop/stock/sync.py:41 in sync_stock`.

    The telemetry's own frames count only where there are no others: a transaction fails where it was opened.
    """
    ours = own = None
    for line, code in _frames(error.__traceback__):
        kind = _kind(code)
        if kind == "ours":
            ours = (line, code)
        elif kind == "telemetry":
            own = (line, code)
    found = ours or own
    return "" if found is None else _location(found[1].co_filename, found[0], found[1].co_qualname)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[int, CodeType]]:
    for _ in range(_MAX_FRAMES):
        if traceback is None:
            return
        yield traceback.tb_lineno, traceback.tb_frame.f_code
        traceback = traceback.tb_next


def _kind(code: CodeType) -> str:
    return _kind_of_file(code.co_filename)


@lru_cache(maxsize=4096)
def _kind_of_file(name: str) -> str:
    if name.startswith("<"):
        return "library"
    path = str(Path(name).absolute())
    if path.startswith(_LIBRARIES):
        return "library"
    return "telemetry" if path.startswith(_TELEMETRY) else "ours"


def _location(path: str, line: int, function: str | None) -> str:
    return f"{_short(path)}:{line} in {function}"


@lru_cache(maxsize=4096)
def _short(path: str) -> str:
    """The last three parts: the rest differs from machine to machine."""
    return "/".join(Path(path).parts[-3:])


def is_reported_elsewhere(error: BaseException, statement: tuple[str, int]) -> bool:
    """Whether another log statement has told of this exception, or of one that it came from; this one has, from now on."""
    for each in _chain(error):
        told: Any = getattr(each, _MARK, None)
        if told is not None:
            return bool(told != statement)
    with suppress(Exception):  # one with slots, or that lets nobody set anything
        setattr(error, _MARK, statement)
    return False


def is_from_database(error: BaseException) -> bool:
    """Whether it is, or came from, a database that could not be asked."""
    return any((type(each).__module__, type(each).__name__) in _AWAY for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        if each is None:
            return
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
