"""Message: what the operator reads: one alert, many in one, or that it is over. Pure, and never longer than Telegram takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import NotificationKind
from telemetry.alerts.rendering.markup import ELLIPSIS, Piece, clean, cut, cut_front, one_line, units
from telemetry.durations import _datetime, format_duration, format_timestamp

MAX_LENGTH: Final = 4096
"""UTF-16 units of a message, after its markup was parsed (Bot API, sendMessage)."""
_WORDS: Final = 1500
_ERROR: Final = 600
_FACT: Final = 150
_FACTS: Final = 6
_STACK: Final = 1200
_LEAST_STACK: Final = 100
_LINE: Final = 110
_LINES: Final = 3500
_FILE: Final = 4 * 1024 * 1024
_DOUBT: Final = "This may be a repeat: whether it arrived before is not known."


@dataclass(frozen=True, slots=True)
class Message:
    """As HTML, as plain text, and what did not fit into either, to be attached."""

    html: str
    plain: str
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """What a message is to tell of, since when it does, and whether it is not known that it has not arrived."""

    kind: NotificationKind
    incidents: Sequence[Incident]
    now: float
    begun_at: float = 0.0
    is_doubtful: bool = False
    muted: int = 0
    """Alerts that were not told, since they followed from this one."""


def compose(telling: RenderRequest, trace_url: str = "") -> Message:
    """`trace_url` is a template with `{trace_id}` in it, or empty."""
    if telling.kind in {"digest", "summary"}:
        return _several(telling)
    incident = telling.incidents[0]
    return _over(telling, incident) if telling.kind == "end" else _one(telling, incident, trace_url)


def _one(telling: RenderRequest, incident: Incident, trace_url: str) -> Message:
    words, error = clean(incident.words).strip(), clean(incident.error).strip()
    head = [
        Piece(f"{incident.level.emoji} {incident.level}", "b"),
        Piece(f"\nComponent: {_component(incident)}\nTime: {format_timestamp(incident.first_at)}\n\n"),
        Piece(cut(words, _WORDS) or "(no words)"),
    ]
    if error and error not in words:
        head.append(Piece(f"\n{cut(error, _ERROR)}"))
    head += [Piece(f"\n{cut(one_line(incident.place), _FACT)}", "i")] if incident.error and incident.place else []
    tail = _tail(telling, incident, trace_url)
    room = MAX_LENGTH - _units(head) - _units(tail) - 4
    stack = clean(incident.stack).strip() if telling.kind == "alert" else ""
    shown = cut_front(stack, min(room, _STACK)) if room >= _LEAST_STACK else ""
    middle = [Piece("\n\n"), Piece(shown, "blockquote expandable")] if shown else []
    is_whole = shown == stack and units(words) <= _WORDS and units(error) <= _ERROR
    return _message([*head, *middle, *tail], None if is_whole or telling.kind != "alert" else _whole(incident))


def _tail(telling: RenderRequest, incident: Incident, trace_url: str) -> list[Piece]:
    lines: list[Piece] = [
        Piece(f"\n{cut(f'{one_line(name)}: {one_line(value)}', _FACT)}") for name, value in incident.facts.items()
    ][:_FACTS]
    if incident.trace_id:
        lines += _trace(incident.trace_id, trace_url)
    if incident.count > 1 and not incident.state:  # of a state it is how often it was looked at
        lines.append(Piece(f"\n×{incident.count:,}, last {_clock(incident.last_at, telling.now)}"))
    if telling.kind == "again":
        lines.append(Piece(f"\nStill there, {format_duration(telling.begun_at - incident.first_at)} later."))
    if incident.ended == "resolved" and incident.ended_at is not None:
        lines.append(Piece(f"\n{_lasted(incident)}"))
    if telling.is_doubtful:
        lines.append(Piece(f"\n{_DOUBT}", "i"))
    return [Piece("\n"), *lines] if lines else []


def _trace(trace_id: str, template: str) -> list[Piece]:
    if not template:
        return [Piece("\nTrace: "), Piece(trace_id, "code")]
    return [Piece("\n"), Piece(f"Trace {trace_id}", url=template.replace("{trace_id}", trace_id))]


def _over(telling: RenderRequest, incident: Incident) -> Message:
    pieces = [
        Piece("✅ RESOLVED", "b"),
        Piece(f"\nComponent: {_component(incident)}\nTime: {format_timestamp(incident.ended_at or telling.now)}\n\n"),
        Piece(cut(clean(incident.words).strip(), _WORDS)),
        Piece(f"\n\n{_lasted(incident)}"),
    ]
    if telling.muted:
        pieces.append(Piece(f"\nWhat followed from it was not told one by one: ×{telling.muted:,}."))
    return _message([*pieces, *_doubt(telling)])


def _several(telling: RenderRequest) -> Message:
    incidents = sorted(telling.incidents, key=lambda each: (-each.level.severity, each.first_at))
    total = sum(each.count for each in incidents)
    worst = incidents[0].level
    what = "alerts in a short time" if telling.kind == "digest" else "alerts that could not be told for an hour or more"
    first, last = min(each.first_at for each in incidents), max(each.last_at for each in incidents)
    head = [
        Piece(f"{worst.emoji} {len(incidents):,} {what}", "b"),
        Piece(f"\n{format_timestamp(first)} to {format_timestamp(last)}, ×{total:,} in all\n"),
    ]
    lines = [_line(each, telling.now) for each in incidents]
    shown, more = _that_fit(lines)
    if more:
        counted = sum(each.count for each in incidents[len(shown) :])
        shown.append(f"… and {more:,} more, ×{counted:,}")
    body = Piece("\n" + "\n".join(shown))
    rest = "\n\n".join(map(_whole, incidents))[:_FILE] if more else None
    return _message([*head, body, *_doubt(telling)], rest)


def _that_fit(lines: Sequence[str]) -> tuple[list[str], int]:
    shown: list[str] = []
    room = _LINES
    for line in lines:
        room -= units(line) + 1
        if room < 0:
            break
        shown.append(line)
    return shown, len(lines) - len(shown)


def _line(incident: Incident, now: float) -> str:
    about = cut(f"{_component(incident)}: {one_line(incident.error or incident.words)}", _LINE)
    if incident.error and incident.place:
        about = cut(f"{about} ({one_line(incident.place)})", 2 * _LINE)
    over = (
        f", over after {format_duration((incident.ended_at or now) - incident.first_at)}"
        if incident.ended == "resolved"
        else ""
    )
    return f"{incident.level.emoji} {_clock(incident.first_at, now)} {about} ×{incident.count:,}{over}"


def _doubt(telling: RenderRequest) -> list[Piece]:
    return [Piece(f"\n\n{_DOUBT}", "i")] if telling.is_doubtful else []


def _whole(incident: Incident) -> str:
    """All that there is of it, for a file."""
    parts = [
        f"{incident.level} {_component(incident)} {format_timestamp(incident.first_at)} ×{incident.count:,}",
        clean(incident.words),
        clean(incident.error),
        one_line(incident.place),
        *(f"{one_line(name)}: {one_line(value)}" for name, value in incident.facts.items()),
        f"Trace: {incident.trace_id}" if incident.trace_id else "",
        clean(incident.stack),
    ]
    return "\n".join(part for part in parts if part)


def _message(pieces: Iterable[Piece], rest: str | None = None) -> Message:
    pieces = list(pieces)
    plain = "".join(piece.text for piece in pieces)
    if (
        units(plain) > MAX_LENGTH
    ):  # the parts are bounded; should they not be enough so, the message is cut, and still sent
        plain = cut(plain, MAX_LENGTH)
        return Message(Piece(plain).html, plain, rest)
    return Message("".join(piece.html for piece in pieces), plain, rest)


def _units(pieces: Iterable[Piece]) -> int:
    return sum(units(piece.text) for piece in pieces)


def _component(incident: Incident) -> str:
    return cut(one_line(incident.component), 100) or ELLIPSIS


def _clock(at: float, now: float) -> str:
    """The day as well, when it is another one."""
    format_timestamp = _datetime(at)
    return (
        f"{format_timestamp:%H:%M}"
        if format_timestamp.date() == _datetime(now).date()
        else f"{format_timestamp:%Y-%m-%d %H:%M}"
    )


def _lasted(incident: Incident) -> str:
    ended = incident.ended_at or incident.last_at
    return f"It lasted {format_duration(ended - incident.first_at)}, from {_clock(incident.first_at, ended)} to {_clock(ended, ended)} UTC."
