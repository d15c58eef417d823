"""Figures, durations and times, as people read them."""

import math
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

from telemetry.durations import format_length

NOTHING: Final = "\N{EN DASH}"
_LEAST: Final = 0.05
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_JUST_NOW: Final = 1.5
_TEN, _HUNDRED, _THOUSAND, _MILLION = 10, 100, 1000, 1_000_000
_AXIS_FORMATS: Final = {"minute": "%H:%M", "day-minute": "%d %b %H:%M", "day": "%d %b"}
_BYTE_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


def number(value: float | None) -> str:
    """Three digits that matter: `0.42`, `13`, `1,204`, `3.1 M`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= _MILLION:
        return f"{value / _MILLION:,.1f} M"
    if size >= _HUNDRED or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= _TEN else f"{value:.2g}" if size < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(share: float | None) -> str:
    """A share from 0 to 1. What is not all or nothing never looks like it: `99.9 %`, `< 0.1 %`."""
    if share is None or not math.isfinite(share):
        return NOTHING
    if share in {0.0, 1.0}:
        return f"{share:.0%}".replace("%", " %")
    if share < 0.001:  # noqa: PLR2004  # the last that one digit shows
        return "< 0.1 %"
    return f"{min(share * _HUNDRED, 99.9):.1f} %"


def duration(seconds: float | None) -> str:
    """`0.8 ms`, `21 ms`, `4.1 s`, `2 min 5 s`, `3 h 20 min`, `3 d 4 h`."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        milliseconds = seconds * _THOUSAND
        return (
            "0 s"
            if seconds == 0
            else "< 0.1 ms"
            if milliseconds < _LEAST
            else f"{milliseconds:.1f} ms"
            if milliseconds < _TEN
            else f"{milliseconds:.0f} ms"
        )
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < _TEN else f"{seconds:.0f} s"
    return format_length(round(seconds))


def size(count: float | None) -> str:
    """Bytes: `412 MB`."""
    if count is None or not math.isfinite(count):
        return NOTHING
    for unit in _BYTE_UNITS:
        if abs(count) < _THOUSAND or unit == _BYTE_UNITS[-1]:
            return f"{count:.0f} {unit}" if count >= _TEN or unit == "B" else f"{count:.1f} {unit}"
        count /= _THOUSAND
    return NOTHING


def ago(then: float, now: float) -> str:
    """`4 min ago`, `in 3 min`, `just now`."""
    seconds = now - then
    if abs(seconds) < _JUST_NOW:
        return "just now"
    rough = _rough(abs(seconds))
    return f"{rough} ago" if seconds > 0 else f"in {rough}"


def _rough(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE:.0f} min"
    return f"{seconds // _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds // _DAY:.0f} days"


def as_seconds(moment: datetime | float) -> float:
    """Seconds since 1970. A time without a zone is one of UTC."""
    if not isinstance(moment, datetime):
        return float(moment)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _shown(moment: datetime | float) -> datetime | None:
    try:
        return datetime.fromtimestamp(as_seconds(moment), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def clock_time(moment: datetime | float | None, now: float) -> Markup:
    """A time: in the browser's zone where its script runs, else in UTC; the whole of it in UTC on hover."""
    return _time_element(moment, now, "clock")


def relative_time(moment: datetime | float | None, now: float) -> Markup:
    """`4 min ago`, with the whole time on hover."""
    return _time_element(moment, now, "ago")


def axis_time(moment: datetime | float | None, span: float) -> Markup:
    """A time on an axis of `span` seconds: `14:32`, `28 Nov 14:32`, or `28 Nov`."""
    style = "minute" if span < _DAY else "day-minute" if span <= 2 * _DAY else "day"
    return _time_element(moment, 0.0, style)


def _time_element(moment: datetime | float | None, now: float, style: str) -> Markup:
    at = None if moment is None else _shown(moment)
    if at is None:
        return escape(NOTHING)
    full = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if style == "ago":
        text = ago(at.timestamp(), now)
    else:
        text = f"{at:{_AXIS_FORMATS[style]}}" if style in _AXIS_FORMATS else _clock_text(at, now)
    return Markup('<time datetime="{}" title="{}" data-style="{}">{}</time>').format(
        at.isoformat(timespec="milliseconds"), full, style, text
    )


def _clock_text(at: datetime, now: float) -> str:
    return f"{at:%H:%M:%S} UTC" if abs(now - at.timestamp()) < _DAY else f"{at:%d %b %H:%M} UTC"
