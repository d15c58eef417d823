"""Telemetry for a FastAPI service: metrics, traces, logs, job runs, health and alerts, made from OpenTelemetry signals.

The public names are what these modules hand on in `__all__`, and what the modules without an `__init__` of their own define:

- `telemetry`: start and shut down; what an application says about itself
- `telemetry.settings`, `telemetry.semconv`: the variables of the environment; the words of all signals
- `telemetry.alerts`, `telemetry.jobs`, `telemetry.logs`, `telemetry.metrics`, `telemetry.redaction`
- `telemetry.health`, `telemetry.health.checks`, `telemetry.selftest`: checks of a running process, and of the instrumentation
- `telemetry.logs.request_id`: the id of the request that is served
- `telemetry.database`: engines and transactions with bounds for every wait
- `telemetry.http_client`: outgoing HTTP requests with bounds for every wait, and checked values of responses
- `telemetry.durations`, `telemetry.error_text`, `telemetry.json_safe`, `telemetry.periodic`, `telemetry.private_files`,
  `telemetry.tls`: what the telemetry and its application both need

Everything else is private. An import contract in `pyproject.toml` holds applications to this list.
"""

from telemetry.build import Telemetry
from telemetry.instrumentation.external_services import ExternalService
from telemetry.options import TelemetryOptions
from telemetry.processes.registry import live_processes
from telemetry.sdk import exporters
from telemetry.setup import current, shutdown, start

__all__ = [
    "ExternalService",
    "Telemetry",
    "TelemetryOptions",
    "current",
    "exporters",
    "live_processes",
    "shutdown",
    "start",
]
