"""Makes the event that a channel is sent: one step of one incident, with its text and its links. Pure."""

from dataclasses import replace
from typing import Final

from telemetry.alerts.incident import Incident
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_delivery.due_deliveries import DueDelivery
from telemetry.alerts.rendering.message import Links, RenderRequest, render

_WITHOUT_RESOLUTION: Final = {
    "expired": "It was not reported again for four hours.",
    "inhibited": "Another alert explains it.",
    "silenced": "It ended during a silence.",
}


def event_of(due: DueDelivery, links: Links, now: float) -> IncidentEvent:
    incident = _with_resolution(due.incident)
    request = RenderRequest(
        kind="end" if due.step == IncidentStep.RESOLVE else "alert",
        incidents=[incident],
        now=now,
        created_at=now,
        possible_duplicate=due.is_possible_duplicate,
    )
    return IncidentEvent(
        step=due.step,
        key=incident.fingerprint,
        incident=incident,
        message=render(request, links),
        remote_id=due.remote_id,
        acknowledged_by=incident.acknowledged_by,
        runbook_url=links.runbook.link(incident.section),
        trace_url=links.trace_url.replace("{trace_id}", incident.trace_id) if incident.trace_id else "",
        is_possible_duplicate=due.is_possible_duplicate,
    )


def _with_resolution(incident: Incident) -> Incident:
    """An incident that ended otherwise than by a recovery says how."""
    words = _WITHOUT_RESOLUTION.get(incident.end_reason or "")
    return replace(incident, resolution=words) if words and not incident.resolution else incident
