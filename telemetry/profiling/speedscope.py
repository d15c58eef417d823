"""Writes folded stacks in the file format of https://www.speedscope.app: one profile for each process."""

import json
from collections.abc import Sequence
from typing import Any, Final

from telemetry.profiling.folded_stacks import FoldedStacks, Stack, split_frame

_SCHEMA: Final = "https://www.speedscope.app/file-format-schema.json"


def render(profiles: Sequence[tuple[str, FoldedStacks]], title: str, rate: int) -> str:
    """The JSON document.

    Args:
        profiles: the name of each profile, and its stacks.
        title: of the whole document.
        rate: samples per second, which tells the time that a sample stands for.
    """
    frames: dict[str, int] = {}
    rendered = [_profile(name, sorted(counts.items()), frames, rate) for name, counts in profiles]
    document = {
        "$schema": _SCHEMA,
        "name": title,
        "exporter": "sovani",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in frames]},
        "profiles": rendered,
    }
    return json.dumps(document, separators=(",", ":")) + "\n"


def _profile(name: str, counts: Sequence[tuple[Stack, int]], frames: dict[str, int], rate: int) -> dict[str, Any]:
    weights = [count / rate for _, count in counts]
    return {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [[frames.setdefault(frame, len(frames)) for frame in stack] for stack, _ in counts],
        "weights": weights,
    }


def _frame(frame: str) -> dict[str, Any]:
    name, file, line = split_frame(frame)
    return {"name": name, **({"file": file} if file else {}), **({"line": line} if line is not None else {})}
