"""Renders the text of a notification: one alert, many alerts, or a resolution. Pure; never longer than Telegram allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import NotificationKind
from telemetry.alerts.rendering.buttons import Keyboard, handled_notes, keyboard
from telemetry.alerts.rendering.markup import ELLIPSIS, Piece, clean, cut, cut_front, one_line, units
from telemetry.durations import format_clock, format_length, format_timestamp
from telemetry.environment.runbook import NO_RUNBOOK, Runbook, RunbookSection

MAX_LENGTH: Final = 4096
"""UTF-16 units of a message, after its markup was parsed (Bot API, sendMessage)."""
_MAX_SUMMARY: Final = 1500
_MAX_ERROR: Final = 600
_MAX_FACT: Final = 150
_MAX_FACTS: Final = 6
_MAX_STACK: Final = 1200
_MIN_STACK: Final = 100
_MAX_LINE: Final = 110
_MAX_LINES: Final = 3300
_MAX_FILE: Final = 4 * 1024 * 1024
_MAX_REASON: Final = 200
_DUPLICATE_NOTICE: Final = "Possible duplicate: this message may have been delivered before."


@dataclass(frozen=True, slots=True)
class Message:
    """A message as HTML and as plain text. `rest` is the whole text, to attach, when it did not fit.

    `buttons` are for a channel that has some.
    """

    html: str
    plain: str
    rest: str | None = None
    buttons: Keyboard = ()


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """What to render. Timestamps are Unix time; `created_at` is when the notification was made."""

    kind: NotificationKind
    incidents: Sequence[Incident]
    now: float
    created_at: float = 0.0
    possible_duplicate: bool = False
    inhibited_count: int = 0
    """Reports that were not sent, since this incident caused them."""
    notes: Sequence[str] = ()
    """Further lines, such as until when the component is silenced."""


@dataclass(frozen=True, slots=True)
class Links:
    """What messages link to, and offer. `trace_url` is a template with `{trace_id}` in it, or empty.

    `has_buttons`: presses of buttons are read. `runs_jobs`: one of them may run a job again.
    """

    trace_url: str = ""
    runbook: Runbook = NO_RUNBOOK
    has_buttons: bool = False
    runs_jobs: bool = False


NO_LINKS: Final = Links()


def render(request: RenderRequest, links: Links = NO_LINKS) -> Message:
    """Render a notification.

    Args:
        request: the incidents and the kind of the notification.
        links: to the trace and to the section of the runbook.
    """
    if request.kind in {"digest", "summary"}:
        return _grouped(request, links)
    incident = request.incidents[0]
    if request.kind == "end":
        return _resolved(request, incident)
    buttons = keyboard(incident, runs_jobs=links.runs_jobs) if links.has_buttons else ()
    return replace(_single(request, incident, links), buttons=buttons)


def _single(request: RenderRequest, incident: Incident, links: Links) -> Message:
    summary, error = clean(incident.summary).strip(), clean(incident.error).strip()
    head = [
        Piece(f"{incident.level.emoji} {incident.level}", "b"),
        Piece(f"\nComponent: {_component(incident)}\nTime: {format_timestamp(incident.first_at)}\n\n"),
        Piece(cut(summary, _MAX_SUMMARY) or "(no text)"),
    ]
    if error and error not in summary:
        head.append(Piece(f"\n{cut(error, _MAX_ERROR)}"))
    head += (
        [Piece(f"\n{cut(one_line(incident.location), _MAX_FACT)}", "i")] if incident.error and incident.location else []
    )
    tail = _tail(request, incident, links)
    room = MAX_LENGTH - _units(head) - _units(tail) - 4
    stack = clean(incident.stack).strip() if request.kind == "alert" else ""
    shown = cut_front(stack, min(room, _MAX_STACK)) if room >= _MIN_STACK else ""
    middle = [Piece("\n\n"), Piece(shown, "blockquote expandable")] if shown else []
    is_complete = shown == stack and units(summary) <= _MAX_SUMMARY and units(error) <= _MAX_ERROR
    return _message([*head, *middle, *tail], None if is_complete or request.kind != "alert" else _full_text(incident))


def _tail(request: RenderRequest, incident: Incident, links: Links) -> list[Piece]:
    lines: list[Piece] = [
        Piece(f"\n{cut(f'{one_line(name)}: {one_line(value)}', _MAX_FACT)}") for name, value in incident.facts.items()
    ][:_MAX_FACTS]
    if incident.trace_id:
        lines += _trace(incident.trace_id, links.trace_url)
    lines += _runbook(links.runbook, incident.section)
    if incident.count > 1 and not incident.state:  # the count of a condition is that of its evaluations
        lines.append(Piece(f"\n×{incident.count:,}, last {format_clock(incident.last_at, request.now)}"))
    if request.kind == "again":
        lines.append(Piece(f"\nStill there, {format_length(request.created_at - incident.first_at)} later."))
    if incident.end_reason == "resolved":
        lines.append(Piece(f"\nResolved: {_resolution(incident)}"))
    lines += [Piece(f"\n{note}", "b") for note in handled_notes(incident, request.notes, request.now, _MAX_FACT)]
    if request.possible_duplicate:
        lines.append(Piece(f"\n{_DUPLICATE_NOTICE}", "i"))
    return [Piece("\n"), *lines] if lines else []


def _trace(trace_id: str, template: str) -> list[Piece]:
    if not template:
        return [Piece("\nTrace: "), Piece(trace_id, "code")]
    return [Piece("\n"), Piece(f"Trace {trace_id}", url=template.replace("{trace_id}", trace_id))]


def _runbook(runbook: Runbook, section: str) -> list[Piece]:
    """A link; of a path in a repository, the path."""
    if not (link := runbook.link(section)):
        return []
    text = f"Runbook: {link}"
    return [Piece("\n"), Piece("Runbook", url=link, plain=text) if runbook.is_url else Piece(text)]


def _resolved(request: RenderRequest, incident: Incident) -> Message:
    pieces = [
        Piece("✅ RESOLVED", "b"),
        Piece(f"\nComponent: {_component(incident)}\nTime: {format_timestamp(incident.ended_at or request.now)}\n\n"),
        Piece(_resolution(incident)),
        Piece(f"\nBefore: {cut(one_line(incident.summary), _MAX_REASON)}"),
    ]
    if request.inhibited_count:
        pieces.append(Piece(f"\n{request.inhibited_count:,} related alerts suppressed."))
    return _message([*pieces, *_duplicate_notice(request)])


def _resolution(incident: Incident) -> str:
    """How it is again. An outbox of an earlier version does not know that."""
    return cut(clean(incident.resolution).strip(), _MAX_SUMMARY) or _duration(incident)


def _grouped(request: RenderRequest, links: Links) -> Message:
    incidents = sorted(request.incidents, key=lambda each: (-each.level.severity, each.first_at))
    total = sum(each.count for each in incidents)
    worst = incidents[0].level
    what = "alerts in a short time" if request.kind == "digest" else "alerts that could not be sent for an hour or more"
    first, last = min(each.first_at for each in incidents), max(each.last_at for each in incidents)
    head = [
        Piece(f"{worst.emoji} {len(incidents):,} {what}", "b"),
        Piece(f"\n{format_timestamp(first)} to {format_timestamp(last)}, ×{total:,} in all\n"),
    ]
    lines = [_line(each, request.now) for each in incidents]
    shown, more = _fitting(lines)
    if more:
        counted = sum(each.count for each in incidents[len(shown) :])
        shown.append(f"… and {more:,} more, ×{counted:,}")
    body = Piece("\n" + "\n".join(shown))
    rest = "\n\n".join(map(_full_text, incidents))[:_MAX_FILE] if more else None
    link = _runbook(links.runbook, RunbookSection.MANY_ALERTS)
    return _message([*head, body, *([Piece("\n"), *link] if link else []), *_duplicate_notice(request)], rest)


def _fitting(lines: Sequence[str]) -> tuple[list[str], int]:
    shown: list[str] = []
    room = _MAX_LINES
    for line in lines:
        room -= units(line) + 1
        if room < 0:
            break
        shown.append(line)
    return shown, len(lines) - len(shown)


def _line(incident: Incident, now: float) -> str:
    text = cut(f"{_component(incident)}: {one_line(incident.error or incident.summary)}", _MAX_LINE)
    if incident.error and incident.location:
        text = cut(f"{text} ({one_line(incident.location)})", 2 * _MAX_LINE)
    resolved = (
        f", resolved after {format_length((incident.ended_at or now) - incident.first_at)}"
        if incident.end_reason == "resolved"
        else ""
    )
    return f"{incident.level.emoji} {format_clock(incident.first_at, now)} {text} ×{incident.count:,}{resolved}"


def _duplicate_notice(request: RenderRequest) -> list[Piece]:
    return [Piece(f"\n\n{_DUPLICATE_NOTICE}", "i")] if request.possible_duplicate else []


def _full_text(incident: Incident) -> str:
    """Everything about an incident, for the attached file."""
    parts = [
        f"{incident.level} {_component(incident)} {format_timestamp(incident.first_at)} ×{incident.count:,}",
        clean(incident.summary),
        clean(incident.error),
        one_line(incident.location),
        clean(incident.resolution),
        *(f"{one_line(name)}: {one_line(value)}" for name, value in incident.facts.items()),
        f"Trace: {incident.trace_id}" if incident.trace_id else "",
        clean(incident.stack),
    ]
    return "\n".join(part for part in parts if part)


def _message(pieces: Iterable[Piece], rest: str | None = None) -> Message:
    pieces = list(pieces)
    plain = "".join(piece.plain or piece.text for piece in pieces)
    if units(plain) > MAX_LENGTH:  # the parts are bounded; if they add up to too much, send the beginning
        plain = cut(plain, MAX_LENGTH)
        return Message(Piece(plain).html, plain, rest)
    return Message("".join(piece.html for piece in pieces), plain, rest)


def _units(pieces: Iterable[Piece]) -> int:
    return sum(units(piece.plain or piece.text) for piece in pieces)


def _component(incident: Incident) -> str:
    return cut(one_line(incident.component), 100) or ELLIPSIS


def _duration(incident: Incident) -> str:
    ended = incident.ended_at or incident.last_at
    since, until = format_clock(incident.first_at, ended), format_clock(ended, ended)
    return f"It lasted {format_length(ended - incident.first_at)}, from {since} to {until} UTC."
