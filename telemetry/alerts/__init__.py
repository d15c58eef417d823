"""Alerts: errors and conditions that the operator has to know of, sent once each, also while other parts are down."""

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.service import get_alert_service

__all__ = ["AlertLevel", "get_alert_service"]
