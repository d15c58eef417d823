"""A sparkline: the course of one row's values, without axes."""

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from telemetry.console.plots.scale import Scale, highest, runs

WIDTH: Final = 96
HEIGHT: Final = 20


def draw(values: Sequence[float | None], label: str, colour: str = "c1") -> Markup:
    """The values from left to right, the highest at the top. `label` says to those who cannot see it what is drawn."""
    x, y = Scale(0, max(1, len(values) - 1), 1, WIDTH - 1), Scale(0, highest([values]) or 1.0, HEIGHT - 2, 2)
    lines = "".join(
        f'<polyline class="line {colour}" points="'
        + " ".join(f"{x(i)},{y(values[i] or 0.0)}" for i in (range(first, end) if end - first > 1 else (first, first)))
        + '"/>'
        for first, end in runs(values)
    )
    return Markup(  # noqa: S704  # numbers, and texts that are escaped
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{lines}</svg>'
    )
