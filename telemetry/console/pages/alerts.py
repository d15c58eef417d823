"""The alerts of this machine, with their states and messages; acknowledgements and silences."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from telemetry.alerts.incident_delivery.acknowledgements import AcknowledgementResult, acknowledge
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.queries import AlertCounts, AlertRecord, AlertState
from telemetry.alerts.outbox.silences import Silence
from telemetry.alerts.rendering.message import RenderRequest, render
from telemetry.console.page_definition import Action, Refused
from telemetry.console.pages.figures import LEVEL_COLOURS
from telemetry.console.parts import Part, make_change, read_part
from telemetry.console.view import View
from telemetry.durations import format_timestamp

PER_PAGE: Final = 40
DURATIONS: Final = {"30m": 1800.0, "1h": 3600.0, "4h": 14_400.0, "12h": 43_200.0, "1d": 86_400.0, "7d": 604_800.0}
DEFAULT_DURATION: Final = "1h"
EVERYTHING: Final = "all"
_MAX_REASON_LENGTH: Final = 300
_ALERT_ID: Final = re.compile(r"[0-9]{1,18}")
_COMPONENT: Final = re.compile(r"[^\s\x00-\x1f\ufffd]{1,100}")
STATES: Final[tuple[AlertState, ...]] = get_args(AlertState)


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert.

    Attributes:
        message: as the phone shows it.
    """

    record: AlertRecord
    colour: str
    message: str


@dataclass(frozen=True, slots=True)
class _Outbox:
    """What the page reads from the outbox."""

    counts: AlertCounts
    records: Sequence[AlertRecord]
    silences: Sequence[Silence]
    channels: Sequence[ChannelState]


_NOTHING: Final = _Outbox(AlertCounts(0, 0, 0, 0, None), (), (), ())


def read(view: View) -> dict[str, Any]:
    outbox: Part[_Outbox] = read_part("Alerts", lambda: _read_outbox(view), _NOTHING)
    wanted, records = view.choice("state", STATES), outbox.value.records
    shown = [_shown(view, record) for record in records[:PER_PAGE]]
    return {
        "is_on": view.telemetry.alerts.is_on,
        "problem": outbox,
        "counts": outbox.value.counts,
        "alerts": [each for each in shown if not wanted or each.record.state == wanted],
        "older": records[PER_PAGE - 1].incident.id if len(records) > PER_PAGE else None,
        "state": wanted,
        "states": STATES,
        "silences": outbox.value.silences,
        "channels": outbox.value.channels,
        "durations": list(DURATIONS),
        "default_duration": DEFAULT_DURATION,
        "components": sorted({record.incident.component for record in records}),
    }


def _read_outbox(view: View) -> _Outbox:
    alerts, before = view.telemetry.alerts, view.whole_number("before", 0, most=2**62) or None
    if not alerts.is_on:
        return _NOTHING
    states = {state.name: state for state in alerts.queries.channels()}
    return _Outbox(
        alerts.queries.counts(view.now),
        alerts.queries.page(view.now, before=before, limit=PER_PAGE + 1),
        alerts.silences.active(view.now),
        [states.get(name, ChannelState(name)) for name in alerts.channel_names],
    )


def _shown(view: View, record: AlertRecord) -> ShownAlert:
    incident = record.incident
    is_end = not incident.is_open and incident.end_reason == "resolved"
    request = RenderRequest("end" if is_end else "alert", [incident], view.now, incident.first_at)
    return ShownAlert(
        record,
        LEVEL_COLOURS.get(incident.level.value, "warn"),
        render(request, view.telemetry.alerts.links).plain,
    )


def silence(view: View) -> str:
    """Silence a component for a while."""
    component = view.form.get("component", "").strip()
    reason = " ".join(view.form.get("reason", "").split())[:_MAX_REASON_LENGTH]
    seconds = DURATIONS.get(view.form.get("for", ""))
    if not _COMPONENT.fullmatch(component):
        raise Refused("A silence needs a component, such as scheduler, or all. Go back, and name one.")
    if seconds is None or not reason:
        raise Refused("A silence needs an end and a reason. Go back, and give both.")
    silences, until, note = view.telemetry.alerts.silences, view.now + seconds, f"{reason} ({view.by})"
    made = make_change("Silences", lambda: silences.create(component, until, note, view.now))
    what = "All alerts are" if made.component == EVERYTHING else f"Alerts of {made.component} are"
    return f"{what} silenced for {view.form['for']}: they are kept, and not sent."


def end_silence(view: View) -> str:
    """End the silences of a component before their time."""
    component = view.form.get("component", "")
    ended = make_change("Silences", lambda: view.telemetry.alerts.silences.expire(component, view.now))
    return f"The silence of {component[:100]} has ended." if ended else f"{component[:100]} was not silenced."


def acknowledge_alert(view: View) -> str:
    """Acknowledge an alert, so that it is not escalated. The first of two people does it; the other reads who it was."""
    given = view.form.get("id", "")
    if not _ALERT_ID.fullmatch(given):
        raise Refused("An acknowledgement needs the number of an alert. Go back, and press the button of one.")
    outbox, number = view.telemetry.alerts.outbox, int(given)
    done = make_change("Alerts", lambda: acknowledge(outbox, number, view.by, view.now))
    if done.incident is None:
        raise Refused(f"There is no alert {number}: it was deleted, or another machine has it.")
    if done.result is AcknowledgementResult.DONE:
        return f"Alert {number} is acknowledged: it is not escalated."
    if done.result is AcknowledgementResult.ALREADY_ENDED:
        raise Refused(f"Alert {number} has ended: it needs no acknowledgement.")
    at = format_timestamp(done.incident.acknowledged_at or view.now)
    return f"Alert {number} was acknowledged already by {done.by}, at {at}."


ACTIONS: Final = (
    Action("/alerts/acknowledge", acknowledge_alert, "/alerts"),
    Action("/alerts/silence", silence, "/alerts"),
    Action("/alerts/end-silence", end_silence, "/alerts"),
)
