"""The bars of a waterfall: when each span began and how long it took, within the whole trace."""

from collections.abc import Iterable
from typing import Final

from markupsafe import Markup

from telemetry.console.plots.scale import Scale

WIDTH: Final = 1000
HEIGHT: Final = 20
_LEAST: Final = 4.0
"""The width of a span that takes next to no time."""
_MARK: Final = 3.0


def draw(offset: float, seconds: float, total: float, colour: str, marks: Iterable[float] = ()) -> Markup:
    """One row: a bar from `offset` on, and a mark for each event. All are seconds since the trace began.

    The figures are in the table beside it, so that nobody has to see it.
    """
    x, width = bar(offset, seconds, total)
    ticks = "".join(
        f'<rect class="mark" x="{_inside(each, total, _MARK)}" y="3" width="{_MARK}" height="{HEIGHT - 6}"/>'
        for each in marks
    )
    return Markup(  # noqa: S704  # numbers, and names of classes
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="fill {colour}" x="{x}" y="5" width="{width}" height="{HEIGHT - 10}" rx="2"/>{ticks}</svg>'
    )


def bar(offset: float, seconds: float, total: float) -> tuple[float, float]:
    """Where a bar begins, and its width, of `WIDTH`. It never lies outside, and never has no width."""
    scale = Scale(0.0, total, 0.0, WIDTH)
    begin, end = scale(offset), scale(offset + max(0.0, seconds))
    width = max(_LEAST, round(end - begin, 1))
    return min(begin, WIDTH - width), width


def _inside(offset: float, total: float, width: float) -> float:
    return min(Scale(0.0, total, 0.0, WIDTH)(offset), WIDTH - width)
