"""Telemetry for a FastAPI service: metrics, traces, logs, job runs and health, made from OpenTelemetry signals."""

from telemetry.setup import Telemetry, current, shutdown, start
from telemetry.specifics import Specifics

__all__ = ["Specifics", "Telemetry", "current", "shutdown", "start"]
