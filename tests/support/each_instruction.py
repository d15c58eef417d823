"""Looks at the world between any two instructions of some code, as a reader does whose writer is killed there."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def seen_at_each_instruction(act: Callable[[], object], look: Callable[[], T], folder: str) -> list[T]:
    """What `look` returns before each instruction of `act` that is in modules of `folder`, and after the last one."""
    seen: list[T] = []

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        if folder not in Path(frame.f_code.co_filename).parts:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen.append(look())
        return trace

    sys._getframe().f_trace_opcodes = True  # 3.12 looks at this only when the trace function is set
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return [*seen, look()]
