"""Telemetry for a FastAPI service: metrics, traces, logs, job runs, health and alerts, made from OpenTelemetry signals.

The public names are what these modules hand on in `__all__`, and what the modules without an `__init__` of their own define:

- `telemetry`: start and shut down; what an application says about itself; the endpoints; the tables
- `telemetry.settings`, `telemetry.semconv`: the variables of the environment; the words of all signals
- `telemetry.alerts`, `telemetry.jobs`, `telemetry.logs`, `telemetry.metrics`, `telemetry.redaction`
- `telemetry.health`, `telemetry.health.checks`: checks of a running process
- `telemetry.selftest`, `telemetry.isolated_selftest`: checks of the instrumentation, in this process or in one of their own
- `telemetry.logs.request_id`: the id of the request that is served
- `telemetry.database`: engines and transactions with bounds for every wait
- `telemetry.environment.proxies`: the proxy of an outgoing request
- `telemetry.environment.runbook`: the sections of the runbook that alerts link to
- `telemetry.http_client`: outgoing HTTP requests with bounds for every wait, and checked values of responses
- `telemetry.profiling`: profiles of the processes of the service, by py-spy
- `telemetry.durations`, `telemetry.error_text`, `telemetry.json_safe`, `telemetry.periodic`, `telemetry.private_files`,
  `telemetry.tls`: what the telemetry and its application both need

Everything else is private. An import contract in `pyproject.toml` holds applications to this list.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from telemetry.environment.sdk_import import import_readers

if TYPE_CHECKING:
    from telemetry.build import Telemetry
    from telemetry.instrumentation.external_services import ExternalService
    from telemetry.jobs.store.tables import create_tables
    from telemetry.options import TelemetryOptions
    from telemetry.processes.registry import live_processes
    from telemetry.sdk import exporters
    from telemetry.setup import current, shutdown, start
    from telemetry.web.metrics_apps import asgi_metrics_app, wsgi_metrics_app
    from telemetry.web.router import router

import_readers()
# Imported when they are first used: all of it takes a second, which a process that starts may not have.
_MODULES: Final = {
    "ExternalService": "telemetry.instrumentation.external_services",
    "Telemetry": "telemetry.build",
    "TelemetryOptions": "telemetry.options",
    "asgi_metrics_app": "telemetry.web.metrics_apps",
    "create_tables": "telemetry.jobs.store.tables",
    "current": "telemetry.setup",
    "live_processes": "telemetry.processes.registry",
    "router": "telemetry.web.router",
    "shutdown": "telemetry.setup",
    "start": "telemetry.setup",
    "wsgi_metrics_app": "telemetry.web.metrics_apps",
}


def __getattr__(name: str) -> Any:
    if name == "exporters":
        return import_module("telemetry.sdk.exporters")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


__all__ = [
    "ExternalService",
    "Telemetry",
    "TelemetryOptions",
    "asgi_metrics_app",
    "create_tables",
    "current",
    "exporters",
    "live_processes",
    "router",
    "shutdown",
    "start",
    "wsgi_metrics_app",
]
