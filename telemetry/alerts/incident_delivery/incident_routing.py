"""Composes the delivery of incidents: a dispatcher with a thread for each channel, the escalation and the bookkeeping."""

from collections.abc import Sequence
from dataclasses import dataclass

from opentelemetry.metrics import Meter

from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import Sender
from telemetry.alerts.incident_channels.configured import ConfiguredChannel
from telemetry.alerts.incident_delivery.escalations import EscalationPolicy
from telemetry.alerts.incident_delivery.incident_bookkeeping import (
    IncidentBookkeeping,
    IncidentMeasurements,
    UnsentIncidents,
)
from telemetry.alerts.incident_delivery.incident_dispatcher import IncidentDispatcher
from telemetry.alerts.incident_delivery.incident_worker import IncidentWorker
from telemetry.alerts.outbox.file import Outbox


@dataclass(frozen=True, slots=True)
class IncidentRouting:
    """Where incidents go. `has_chain`: Telegram or the webhook sends them as well, `escalate_after` is in seconds or None."""

    targets: Sequence[ConfiguredChannel]
    has_chain: bool
    escalation: Sequence[str] = ()
    escalate_after: float | None = None

    def policy(self) -> EscalationPolicy | None:
        if self.escalate_after is None:
            return None
        by_name = {each.name: each for each in self.targets}
        return EscalationPolicy(self.escalate_after, [by_name[name] for name in self.escalation if name in by_name])


def incident_worker(
    outbox: Outbox, routing: IncidentRouting, delivery: DeliveryTelemetry, sender: Sender, meter: Meter
) -> IncidentWorker:
    marks_sent = not routing.has_chain
    dispatchers = [
        IncidentDispatcher(outbox, each, delivery, sender, marks_sent=marks_sent) for each in routing.targets
    ]
    bookkeeping = IncidentBookkeeping(
        outbox,
        IncidentMeasurements(outbox, meter),
        sender.clock,
        policy=routing.policy(),
        unsent=UnsentIncidents(outbox, routing.targets) if marks_sent and routing.targets else None,
    )
    return IncidentWorker(dispatchers, bookkeeping)
