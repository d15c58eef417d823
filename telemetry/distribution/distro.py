"""The distro and the configurator, which `opentelemetry-instrument` finds by the entry points of the package.

It runs in every process of the application while Python itself starts: also in the parent of uvicorn's workers and in Python's
own helpers, which have nothing to observe. A worker has five seconds until it must answer its parent. So nothing is imported
here that takes time; the telemetry starts when the process imports the first library that it can observe.
"""

import os
from importlib.metadata import EntryPoint
from typing import Any, Final

from telemetry.compatibility.instrumentation import BaseDistro
from telemetry.distribution import deferred_start

_STABILITY_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"


class TelemetryDistro(BaseDistro):
    """Loads the instrumentors of the installed packages; for FastAPI and logging those of the telemetry."""

    def _configure(self, **_options: Any) -> None:
        os.environ.setdefault(_STABILITY_OPT_IN, "http,database")

    def load_instrumentor(self, entry_point: EntryPoint, **options: Any) -> None:
        """Instrument a library as soon as the telemetry has started, and start it when that library is imported."""
        deferred_start.add_instrumentor(entry_point, options)


class TelemetryConfigurator:
    """Starts the telemetry when the process imports a library that it can observe."""

    def configure(self, **_options: Any) -> None:
        deferred_start.start_at_import()
