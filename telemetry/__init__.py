"""Telemetry for a FastAPI service: metrics, traces, logs, job runs and health, made from OpenTelemetry signals."""

from telemetry.options import TelemetryOptions
from telemetry.setup import Telemetry, current, shutdown, start

__all__ = ["Telemetry", "TelemetryOptions", "current", "shutdown", "start"]
