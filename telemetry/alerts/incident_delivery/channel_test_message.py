"""A test of one channel: a message goes there alone, past the outbox, and its end if the channel keeps incidents."""

from typing import Final

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import Channel
from telemetry.alerts.incident import Incident
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.due_deliveries import DeliveryTarget, DueDelivery
from telemetry.alerts.incident_delivery.incident_event import event_of
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Links, RenderRequest, render

SUMMARY: Final = "Test alert: delivery works."


def send_to_chain(channel: Channel, incident: Incident, links: Links) -> str:
    """Send a test to Telegram or the webhook. Returns what it said.

    Raises:
        ChannelError: it did not accept the message, or that is unknown.
    """
    message = render(RenderRequest("alert", [incident], incident.first_at), links)
    sent = channel.send(Notification("alert", [incident]), message, ChannelState(channel.name))
    return f"message {sent.message_id}" if sent.message_id is not None else "the message"


def send_to_target(target: DeliveryTarget, incident: Incident, links: Links) -> str:
    """Open an incident on a channel and resolve it. Returns what the channel said.

    Raises:
        ChannelError: as for `send_to_chain`.
    """
    channel, at = target.channel, incident.first_at
    remote_id = channel.deliver(event_of(DueDelivery(incident, IncidentStep.OPEN), links, at))
    said = f"incident {remote_id}" if remote_id else "the incident"
    if IncidentStep.RESOLVE not in channel.steps:
        return f"{said}; it can't resolve incidents"
    end = incident_for_test(incident.fingerprint, incident.section, at, is_resolved=True)
    channel.deliver(event_of(DueDelivery(end, IncidentStep.RESOLVE, remote_id=remote_id), links, at))
    return f"{said}, and its end"


def incident_for_test(fingerprint: str, section: str, now: float, *, is_resolved: bool = False) -> Incident:
    return Incident(
        id=0,
        fingerprint=fingerprint,
        state="",
        level=AlertLevel.INFO,
        component="test-alert",
        summary=SUMMARY,
        error="",
        location="",
        stack="",
        facts={},
        inhibited_by="",
        trace_id="",
        span_id="",
        is_sampled=False,
        first_at=now,
        last_at=now,
        count=1,
        due_at=now,
        ended_at=now if is_resolved else None,
        end_reason="resolved" if is_resolved else None,
        inhibitor_id=None,
        notified_at=None,
        notification_id=None,
        notified_count=0,
        end_notified=False,
        section=section,
        resolution="The test is over." if is_resolved else "",
    )
