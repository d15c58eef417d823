"""Draws folded stacks as a flamegraph: a static SVG without scripts and styles, whose frames have their shares as titles."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.sax.saxutils import escape

from telemetry.profiling.folded_stacks import FoldedStacks, split_frame

WIDTH: Final = 1200.0
MAX_DEPTH: Final = 250
"""Rows that are drawn; a deeper recursion ends there."""
_ROW, _TOP, _MARGIN, _LETTER, _PAD = 17, 50, 10.0, 6.7, 3.0
_MIN_WIDTH: Final = 0.4
_OWN: Final = ("service/", "telemetry/")
_OWN_COLOURS: Final = ("#f2994a", "#f0a35e", "#ee8f3c", "#f4ad6e")
_OTHER_COLOURS: Final = ("#c9d6df", "#bccbd6", "#d3dee5", "#c2d0da")
_ROOT_COLOUR: Final = "#dddddd"


@dataclass(slots=True)
class _Box:
    """A frame at one place of the tree, and how many samples were in it."""

    frame: str
    depth: int = 0
    count: int = 0
    inside: dict[str, "_Box"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A box with its left edge and width, in pixels."""

    box: _Box
    x: float
    width: float


def draw(counts: FoldedStacks, title: str, subtitle: str) -> str:
    """The SVG: outermost frames on top, widths by the number of samples. Frames of the service and its telemetry are orange."""
    root = _tree(counts)
    drawn = list(_layout(root))
    height = _TOP + (max(each.box.depth for each in drawn) + 1) * _ROW + _MARGIN
    total = max(1, root.count)
    size = f'viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" height="{height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH:g}" height="{height:g}" fill="#ffffff"/>',
        f'<text x="{_MARGIN:g}" y="20" font-size="15" font-family="sans-serif">{escape(title)}</text>',
        f'<text x="{_MARGIN:g}" y="38" font-family="sans-serif" fill="#555555">{escape(subtitle)}</text>',
        *(_frame(each, total) for each in drawn),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _tree(counts: FoldedStacks) -> _Box:
    root = _Box("all")
    for stack, count in counts.items():
        box = root
        box.count += count
        for frame in stack[: MAX_DEPTH - 1]:
            box = box.inside.setdefault(frame, _Box(frame, box.depth + 1))
            box.count += count
    return root


def _layout(root: _Box) -> Iterator[_Drawn]:
    """Each box that is wide enough to be seen, the largest of its siblings first."""
    scale = (WIDTH - 2 * _MARGIN) / max(1, root.count)
    waiting = [_Drawn(root, _MARGIN, root.count * scale)]
    while waiting:
        yield (parent := waiting.pop())
        x = parent.x
        for box in sorted(parent.box.inside.values(), key=lambda each: (-each.count, each.frame)):
            width = box.count * scale
            if width >= _MIN_WIDTH:
                waiting.append(_Drawn(box, x, width))
            x += width


def _frame(drawn: _Drawn, total: int) -> str:
    box, y = drawn.box, _TOP + drawn.box.depth * _ROW
    title = f"{box.frame}: {box.count:,} samples, {box.count / total:.1%}"
    rect = (
        f'<rect x="{drawn.x:.2f}" y="{y}" width="{drawn.width:.2f}" height="{_ROW - 1}" fill="{_colour(box)}" rx="1"/>'
    )
    text = _shortened(box.frame, int((drawn.width - 2 * _PAD) / _LETTER))
    label = f'<text x="{drawn.x + _PAD:.2f}" y="{y + 12}">{escape(text)}</text>' if text else ""
    return f"<g><title>{escape(title)}</title>{rect}{label}</g>"


def _shortened(text: str, letters: int) -> str:
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters > 2 else ""  # noqa: PLR2004  # fewer letters say nothing


def _colour(box: _Box) -> str:
    """The same for a function in each profile."""
    function, file, _ = split_frame(box.frame)
    if not file:
        return _ROOT_COLOUR
    colours = _OWN_COLOURS if file.startswith(_OWN) else _OTHER_COLOURS
    return colours[zlib.crc32(f"{function} {file}".encode()) % len(colours)]
