"""The webhook as a step of the escalation alone: it gets the steps of each escalated incident, and is no fallback."""

from dataclasses import replace
from typing import Final

from telemetry.alerts.channels.webhook import NAME, Webhook
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState

_STATE: Final = ChannelState(NAME)
"""A webhook keeps nothing there."""


class EscalatedWebhook:
    """The posts are those of the webhook: of kind `alert`, `update` for a repeat and an acknowledgement, and `end`."""

    name: Final = NAME
    steps: Final = frozenset(IncidentStep)

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self.rate_limit = webhook.rate_limit

    def deliver(self, event: IncidentEvent) -> str:
        incident = event.incident
        notification = Notification("alert", [incident], id=incident.id, possible_duplicate=event.is_possible_duplicate)
        if event.step == IncidentStep.OPEN:
            self._webhook.send(notification, event.message, _STATE)
        elif event.step == IncidentStep.RESOLVE:
            self._webhook.send(replace(notification, kind="end"), event.message, _STATE)
        else:
            self._webhook.edit(notification, event.message, _STATE)
        return ""

    def close(self) -> None:
        self._webhook.close()
