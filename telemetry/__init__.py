"""Telemetry for a FastAPI service: metrics, traces, logs, job runs and health, made from OpenTelemetry signals."""

from telemetry.build import Telemetry
from telemetry.options import TelemetryOptions
from telemetry.setup import current, shutdown, start

__all__ = ["Telemetry", "TelemetryOptions", "current", "shutdown", "start"]
