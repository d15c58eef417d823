"""Starts the telemetry of this process, once, and shuts it down."""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry.build import NO_OPTIONS, SHUTDOWN_TIMEOUT, Telemetry, build
from telemetry.compatibility.unstable_api import set_logger_provider
from telemetry.logs.setup import setup_logging
from telemetry.options import TelemetryOptions
from telemetry.settings import TelemetrySettings

_log = logging.getLogger(__name__)
_active: Telemetry | None = None
_lock = threading.RLock()


def start(
    *,
    app: FastAPI | None = None,
    engine: Engine | None = None,
    settings: TelemetrySettings | None = None,
    options: TelemetryOptions = NO_OPTIONS,
) -> Telemetry:
    """Start the telemetry of this process, once. With an application, instrument that as well.

    Args:
        app: counted and traced from its first request; its lifespan ends with `shutdown`.
        engine: the database that holds `job_runs`; by default the one of `DATABASE_URL`.
        settings: by default those of the environment.
        options: what the telemetry cannot know of the application.

    Raises:
        SettingsError: a variable has a value that it may not have.
    """
    global _active  # noqa: PLW0603  # one telemetry for a process, as OpenTelemetry's own providers
    with _lock:
        if _active is None:
            settings = settings or TelemetrySettings.read()
            setup_logging(settings)
            _active = build(settings, engine, options)
            _set_globals(_active)
            _active.start()
            if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
                _log.warning("OTEL_SDK_DISABLED is true: nothing is measured, traced or recorded.")
            atexit.register(shutdown)
        if app is not None:
            _active.instrument_app(app, options.untraced_paths)
            _shut_down_after(app)
        return _active


def current() -> Telemetry | None:
    return _active


def shutdown(deadline: float = SHUTDOWN_TIMEOUT) -> None:
    """Flush everything within the deadline, in seconds, and switch the instrumentation off. More than once is harmless."""
    global _active
    with _lock:
        ending, _active = _active, None
    if ending is not None:
        atexit.unregister(shutdown)
        ending.shutdown(deadline)


def _set_globals(telemetry: Telemetry) -> None:
    """For libraries that ask OpenTelemetry for its global providers. The API takes them once for a process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(telemetry.tracer_provider)
        metrics.set_meter_provider(telemetry.metrics.provider)
        set_logger_provider(telemetry.log_handler.provider)


def _shut_down_after(app: FastAPI) -> None:
    """Shut down at the end of the application's lifespan: `atexit` is too late for a server that re-raises SIGTERM."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncGenerator[Any]:
        try:
            async with inner(application) as state:
                yield state
        finally:
            await asyncio.to_thread(shutdown)

    app.router.lifespan_context = lifespan
