"""The buttons under the message of an alert, and what a press of one says. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from telemetry.alerts.incident import Incident
from telemetry.alerts.rendering.markup import cut, one_line
from telemetry.durations import format_clock

FAILING_JOB: Final = "job:"
"""The beginning of the condition of a job that fails, before its name."""
Action = Literal["ack", "mute1", "mute8", "run"]
SILENCE_HOURS: Final[dict[str, int]] = {"mute1": 1, "mute8": 8}
_DATA: Final = re.compile(r"(ack|mute1|mute8|run):([0-9]{1,18}):([0-9]{1,18})", re.ASCII)
"""At most 43 of the 64 bytes that Telegram allows."""


@dataclass(frozen=True, slots=True)
class Button:
    """`data` is what a press of it brings back."""

    text: str
    data: str


Keyboard = tuple[tuple[Button, ...], ...]
"""Rows of buttons."""


@dataclass(frozen=True, slots=True)
class Press:
    """What a person pressed. `first_at`, in microseconds, tells the incident from one of another machine with its number."""

    action: Action
    incident_id: int
    first_at: int

    def is_about(self, incident: Incident) -> bool:
        return incident.id == self.incident_id and _microseconds(incident) == self.first_at


def _microseconds(incident: Incident) -> int:
    return round(max(0.0, incident.first_at) * 1_000_000)


def read_press(data: str) -> Press | None:
    """None for what is not the data of one of these buttons."""
    found = _DATA.fullmatch(data)
    if found is None:
        return None
    action: Action = found[1]  # type: ignore[assignment]  # the pattern has no others
    return Press(action, int(found[2]), int(found[3]))


def failing_job(incident: Incident) -> str | None:
    """The job whose failures the incident is about."""
    return incident.state.removeprefix(FAILING_JOB) if incident.state.startswith(FAILING_JOB) else None


def keyboard(incident: Incident, *, runs_jobs: bool) -> Keyboard:
    """The buttons of an incident; none once it has ended.

    Each keeps its place, so that who presses twice does not press another one that came there meanwhile.
    """
    if not incident.is_open:
        return ()

    def button(text: str, action: Action) -> Button:
        return Button(text, f"{action}:{incident.id}:{_microseconds(incident)}")

    first = button("Acknowledge" if incident.acknowledged_at is None else "✓ Acknowledged", "ack")
    silences = (button("Silence 1 h", "mute1"), button("Silence 8 h", "mute8"))
    if runs_jobs and failing_job(incident) is not None:
        return (first,), silences, (button("Run again", "run"),)
    return (first,), silences


def handled_notes(incident: Incident, notes: Sequence[str], now: float, max_units: int) -> list[str]:
    """Who has taken the alert on, and further notes, each a line of at most so many UTF-16 units."""
    found = list(notes)
    if incident.acknowledged_at is not None:
        at = format_clock(incident.acknowledged_at, now)
        found.insert(0, f"Acknowledged by {one_line(incident.acknowledged_by)}, {at} UTC")
    return [cut(one_line(note), max_units) for note in found]
