"""Folded stacks: how often each stack was sampled, as py-spy writes them: `outer (file:line);inner (file:line) count`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from telemetry.redaction import redact

Stack = tuple[str, ...]
"""The frames from the outermost to the innermost."""
FoldedStacks = Mapping[Stack, int]
_LINE: Final = re.compile(r"(.+) (\d{1,15})", re.ASCII)
_FRAME: Final = re.compile(r"(.+) \(([^()]+?)(?::(\d{1,9}))?\)", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def parse(text: str) -> Counter[Stack]:
    """Parse the lines; others are skipped. Frames are redacted, and control characters are replaced by spaces."""
    shown: dict[str, str] = {}
    counts: Counter[Stack] = Counter()
    for line in text.split("\n"):
        if match := _LINE.fullmatch(_CONTROL.sub(" ", line)):
            frames = match[1].split(";")
            for frame in frames:
                if frame not in shown:
                    shown[frame] = redact(frame)
            counts[tuple(shown[frame] for frame in frames)] += int(match[2])
    return counts


def merge(by_process: Iterable[tuple[str, FoldedStacks]]) -> Counter[Stack]:
    """The stacks of several processes as one: the name of its process is the first frame of each."""
    merged: Counter[Stack] = Counter()
    for name, counts in by_process:
        for stack, count in counts.items():
            merged[(name, *stack)] += count
    return merged


def split_frame(frame: str) -> tuple[str, str, int | None]:
    """The function, the file and the line of a frame; no file and no line for one that has none, such as a process."""
    if match := _FRAME.fullmatch(frame):
        return match[1], match[2], int(match[3]) if match[3] else None
    return frame, "", None
