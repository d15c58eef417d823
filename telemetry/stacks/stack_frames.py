"""The frames of a thread as values: file, line and function. Neither locals nor source files are read."""

import sys
from collections.abc import Iterable, Sequence
from types import CodeType, FrameType
from typing import Final, NamedTuple

from telemetry.logs.source_location import code_location, code_owner
from telemetry.logs.text_formatter import one_line
from telemetry.redaction.policy import redact

MAX_WALKED: Final = 2000
"""Frames of one stack that are looked at, from the innermost outwards."""
_OUTERMOST: Final = 10
_INNERMOST: Final = 40
"""Of a longer stack so many frames are shown from either end."""
_MAX_LOCATION: Final = 300
_OWN: Final = "application"
_TELEMETRY: Final = "telemetry"


class StackFrame(NamedTuple):
    """One call. `line` is that which is being executed."""

    code: CodeType
    line: int

    @property
    def owner(self) -> str:
        """`application`, `telemetry` or `library`."""
        try:
            return code_owner(self.code)
        except (OSError, ValueError):  # a relative path after the working directory was deleted, or no path
            return _OWN

    @property
    def location(self) -> str:
        """Such as `shop/stock/sync.py:41 in sync_stock`, on one line."""
        text = one_line(code_location(self.code, self.line)).encode("utf-8", "replace").decode()
        return text if len(text) <= _MAX_LOCATION else redact(text)[:_MAX_LOCATION]


Frames = list[StackFrame]
"""The outermost call first, as in a traceback."""


def frames_of_thread(thread_id: int) -> Frames:
    """What a thread executes now; nothing if there is no such thread any more."""
    return frames_from(sys._current_frames().get(thread_id))  # noqa: SLF001  # the documented way to another thread's frames


def frames_by_thread() -> dict[int, FrameType]:
    """The innermost frame of each thread. Whoever asks for many threads asks once."""
    return sys._current_frames()  # noqa: SLF001  # likewise


def frames_from(frame: FrameType | None) -> Frames:
    """A frame and its callers."""
    found: Frames = []
    while frame is not None and len(found) < MAX_WALKED:
        found.append(stack_frame(frame))
        frame = frame.f_back
    return found[::-1]


def stack_frame(frame: FrameType) -> StackFrame:
    return StackFrame(frame.f_code, frame.f_lineno or frame.f_code.co_firstlineno)


def own_locations(frames: Sequence[StackFrame], number: int) -> tuple[str, ...]:
    """The innermost frames of our own code, the innermost first; frames of the telemetry where there are no others."""
    for owner in (_OWN, _TELEMETRY):
        if found := [frame.location for frame in reversed(frames) if frame.owner == owner]:
            return tuple(found[:number])
    return ()


def shown(frames: Sequence[StackFrame]) -> list[str]:
    """A line for each frame; those of our own code begin with `>`."""
    if len(frames) <= _OUTERMOST + _INNERMOST:
        return _lines(frames)
    left_out = f"  … {len(frames) - _OUTERMOST - _INNERMOST:,} frames left out …"
    return [*_lines(frames[:_OUTERMOST]), left_out, *_lines(frames[-_INNERMOST:])]


def _lines(frames: Iterable[StackFrame]) -> list[str]:
    return [f"{'>' if frame.owner == _OWN else ' '} {frame.location}" for frame in frames]
