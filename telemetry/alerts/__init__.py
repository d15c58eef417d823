"""Alerts: what the operator has to know reaches their phone, once, readable, whatever is broken, and nothing else does."""

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.service import get_alert_service

__all__ = ["AlertLevel", "get_alert_service"]
