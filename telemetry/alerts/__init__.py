"""Alerts: errors and conditions that the operator has to know of, sent once each, also while other parts are down."""

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels import telegram
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident import Incident
from telemetry.alerts.incident_delivery.acknowledgements import Acknowledgement, AcknowledgementResult, acknowledge
from telemetry.alerts.outbox.channel_state import ChannelCondition, ChannelState
from telemetry.alerts.outbox.queries import AlertRecord, AlertState, DeliveryRecord, DeliveryState
from telemetry.alerts.outbox.silences import Silence, Silences
from telemetry.alerts.pipeline import AlertPipeline
from telemetry.alerts.rules import condition
from telemetry.alerts.rules.condition import Condition, ConditionPeriod
from telemetry.alerts.rules.job_alerts import MISSED, OVERDUE
from telemetry.alerts.service import AlertService, get_alert_service
from telemetry.alerts.telegram_updates.operator_bot import OperatorBot
from telemetry.alerts.telegram_updates.phone_command import PhoneCommand
from telemetry.alerts.telegram_updates.poller import PollingLease
from telemetry.alerts.telegram_updates.press_relay import PressRelay, RelayedPress
from telemetry.alerts.telegram_updates.update import Person, Place, PressUpdate

__all__ = [
    "MISSED",
    "OVERDUE",
    "Acknowledgement",
    "AcknowledgementResult",
    "AlertLevel",
    "AlertPipeline",
    "AlertRecord",
    "AlertService",
    "AlertState",
    "ChannelCondition",
    "ChannelError",
    "ChannelState",
    "Condition",
    "ConditionPeriod",
    "DeliveryRecord",
    "DeliveryState",
    "Incident",
    "OperatorBot",
    "Person",
    "PhoneCommand",
    "Place",
    "PollingLease",
    "PressRelay",
    "PressUpdate",
    "RelayedPress",
    "Silence",
    "Silences",
    "acknowledge",
    "condition",
    "get_alert_service",
    "telegram",
]
