"""The lane of a job in a timeline: a bar per run. Bars that would overlap are joined, so that a lane of any job is short."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 720
HEIGHT: Final = 24
MIN_BAR: Final = 3.0
"""The width of a bar that would be thinner."""
MAX_GAP: Final = 0.6
"""Bars of a colour that are as near as that are one."""
COLOURS: Final = ("quiet", "ok", "c1", "warn", "bad")
"""Each is drawn over those before it."""
_WORDS: Final = {
    "quiet": "skipped",
    "ok": "succeeded",
    "c1": "running",
    "warn": "cancelled",
    "bad": "failed, timed out or lost",
}
_MARK_WORDS: Final = {"hollow": "missed", "hatched": "no scheduler was running"}
_MIDDLE: Final = HEIGHT // 2
_MARK_TOP, _MARK_HEIGHT = 3, 18


@dataclass(frozen=True, slots=True)
class Bar:
    """A run, or several, in seconds since 1970. `colour` is one of `COLOURS`."""

    start: float
    end: float
    colour: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Scheduled runs that did not begin. `kind`: `hollow` for missed ones, `hatched` while no scheduler was running."""

    start: float
    end: float
    kind: str = "hollow"


def draw(bars: Iterable[Bar], marks: Iterable[Mark], window: tuple[float, float], label: str) -> Markup:
    """A lane as SVG. `label` says what it shows to those who cannot see it."""
    since, until = window
    x, marked = _Places(since, WIDTH / max(1e-9, until - since)), list(marks)
    by_colour: dict[str, list[tuple[float, float]]] = {}
    for bar in bars:
        if bar.end >= since and bar.start <= until:
            by_colour.setdefault(bar.colour, []).append(x.span(bar.start, bar.end))
    drawn = "".join(_path(colour, by_colour[colour]) for colour in COLOURS if colour in by_colour)
    return Markup(  # noqa: S704  # numbers, and texts that are escaped
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f'<path class="base" d="M0 {_MIDDLE}h{WIDTH}"/>{_drawn_marks(marked, x, "hatched")}{drawn}{_drawn_marks(marked, x, "hollow")}</svg>'
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """Where times are in a lane: `factor` units for each second after `since`."""

    since: float
    factor: float

    def span(self, start: float, end: float) -> tuple[float, float]:
        """A bar is never thinner than `MIN_BAR`, and stays within the lane."""
        left, right = (start - self.since) * self.factor, (end - self.since) * self.factor
        left, right = max(left, 0.0), min(right, float(WIDTH))
        if right - left < MIN_BAR:
            left = min(left, WIDTH - MIN_BAR)
            right = left + MIN_BAR
        return left, right


def joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The spans from left to right, those that overlap or nearly touch as one."""
    found: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if found and left - found[-1][1] <= MAX_GAP:
            found[-1] = (found[-1][0], max(found[-1][1], right))
        else:
            found.append((left, right))
    return found


def _path(colour: str, spans: Sequence[tuple[float, float]]) -> str:
    steps = "".join(f"M{round(left, 1):g} {_MIDDLE}h{round(right - left, 1):g}" for left, right in joined(spans))
    return f'<path class="bar {colour}" d="{steps}"><title>{_WORDS[colour]}</title></path>'


def _drawn_marks(marks: Iterable[Mark], x: _Places, kind: str) -> str:
    spans = joined(x.span(mark.start, mark.end) for mark in marks if mark.kind == kind)
    return "".join(
        f'<rect class="fill {kind}" x="{round(left, 1):g}" y="{_MARK_TOP}" width="{round(right - left, 1):g}" height="{_MARK_HEIGHT}"><title>{_MARK_WORDS[kind]}</title></rect>'
        for left, right in spans
    )
