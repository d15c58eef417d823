"""Finds the place in our own code that a log record or an exception comes from."""

import logging
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Final

from telemetry.logs.exception_chain import leaves

_MAX_FRAMES: Final = 500
_LIBRARIES: Final = tuple(
    {
        form
        for path in (
            *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
            *(path for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
        )
        if path
        for form in (path, str(Path(path).resolve()))  # an environment may be reached by a symbolic link
    }
)
_TELEMETRY: Final = str(Path(__file__).resolve().parents[1])


def source_location(error: BaseException) -> str:
    """The innermost frame of our own code, such as `shop/stock/sync.py:41 in sync_stock`; empty if there is none.

    Frames of the telemetry count only where there are no others: a transaction fails where it was opened. Of the members of a
    group, whose order is by chance, the one with the alphabetically first location decides.
    """
    found = [location for each in leaves(error) if (location := _innermost(each))]
    return min(found) if found else _innermost(error)


def _innermost(error: BaseException) -> str:
    application = telemetry = None
    for line, code in _frames(error.__traceback__):
        owner = _owner(code.co_filename)
        if owner == "application":
            application = (line, code)
        elif owner == "telemetry":
            telemetry = (line, code)
    innermost = application or telemetry
    return "" if innermost is None else _location(innermost[1].co_filename, innermost[0], innermost[1].co_qualname)


def statement_location(record: logging.LogRecord) -> str:
    """The log statement that made the record."""
    return _location(record.pathname, record.lineno, record.funcName)


def is_in_library(record: logging.LogRecord) -> bool:
    """Whether the log statement is in the standard library, or in an installed one."""
    return _owner(record.pathname) == "library"


def application_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of our own code, from the innermost outwards."""
    for _ in range(_MAX_FRAMES):
        if frame is None:
            return
        if _owner(frame.f_code.co_filename) == "application":
            yield frame
        frame = frame.f_back


def frame_location(frame: FrameType) -> str:
    return _location(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)


def code_location(code: CodeType, line: int) -> str:
    return _location(code.co_filename, line, code.co_qualname)


def code_owner(code: CodeType) -> str:
    """Whose code it is: `application`, `telemetry` or `library`."""
    return _owner(code.co_filename)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[int, CodeType]]:
    for _ in range(_MAX_FRAMES):
        if traceback is None:
            return
        yield traceback.tb_lineno, traceback.tb_frame.f_code
        traceback = traceback.tb_next


@lru_cache(maxsize=4096)
def _owner(file_name: str) -> str:
    if file_name.startswith("<"):
        return "library"
    path = str(Path(file_name).absolute())
    if path.startswith(_LIBRARIES):
        return "library"
    return "telemetry" if path.startswith(_TELEMETRY) else "application"


def _location(path: str, line: int, function: str | None) -> str:
    return f"{_short_path(path)}:{line} in {function}"


@lru_cache(maxsize=4096)
def _short_path(path: str) -> str:
    """The last three parts: the rest differs from machine to machine."""
    return "/".join(Path(path).parts[-3:])
