"""Starts the telemetry of this process, once, and shuts it down."""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry.build import NO_OPTIONS, SHUTDOWN_TIMEOUT, Telemetry, build
from telemetry.compatibility.unstable_api import set_logger_provider
from telemetry.failsafe import failsafe
from telemetry.logs.setup import setup_logging
from telemetry.options import TelemetryOptions
from telemetry.redaction.policy import POLICY
from telemetry.redaction.secret_sources import collect_secrets
from telemetry.sdk.env_defaults import sdk_variables
from telemetry.sdk.guarded_propagation import guard_propagation
from telemetry.settings import TelemetrySettings

_log = logging.getLogger(__name__)
_SHUTS_DOWN: Final = "_shuts_telemetry_down"
_active: Telemetry | None = None
_begin_again: Callable[[], Telemetry] | None = None
"""Starts anew what has been shut down, for a further lifespan of its application."""
_lock = threading.RLock()


def start(  # noqa: PLR0913  # each is a choice of its own
    *,
    app: FastAPI | None = None,
    engine: Engine | None = None,
    settings: TelemetrySettings | None = None,
    options: TelemetryOptions = NO_OPTIONS,
    jobs: bool | None = None,
    alerts: bool | None = None,
    logs: bool | None = None,
) -> Telemetry:
    """Start the telemetry of this process, once. With an application, instrument that as well.

    A second call returns the running telemetry; a warning names those of its arguments that differ, and have no effect.

    Args:
        app: counted and traced from its first request; its lifespan ends with `shutdown`.
        engine: the database that holds `job_runs`; by default the one of `DATABASE_URL`.
        settings: by default those of the environment.
        options: what the telemetry cannot know of the application.
        jobs: whether runs are recorded in `job_runs`; by default as `TELEMETRY_JOBS` says.
        alerts: whether errors become alerts; by default as `TELEMETRY_ALERTS` says.
        logs: whether the console and the log files are set up; by default as `TELEMETRY_LOGS` says.

    Raises:
        SettingsError: a variable has a value that it may not have.
    """
    global _active  # noqa: PLW0603  # one telemetry for a process, as OpenTelemetry's own providers
    with _lock:
        parts = {"telemetry_jobs": jobs, "telemetry_alerts": alerts, "telemetry_logs": logs}
        if _active is not None:
            _warn_of_ignored(_ignored(_active, settings, engine, options, parts))
        else:
            _active = _begin(_chosen(settings or TelemetrySettings.read(), parts), engine, options)
            atexit.register(shutdown)
        if app is not None:
            _active.instrument_app(app, options.untraced_paths)
            _live_with(app, options.untraced_paths)
        return _active


def _begin(settings: TelemetrySettings, engine: Engine | None, options: TelemetryOptions) -> Telemetry:
    _set_up_logging(settings)
    telemetry = build(settings, engine, options)
    _set_globals(telemetry)
    telemetry.start()
    _warn_if_disabled()
    return telemetry


def current() -> Telemetry | None:
    return _active


def shutdown(deadline: float = SHUTDOWN_TIMEOUT) -> None:
    """Flush everything within the deadline, in seconds, and switch the instrumentation off. More than once is harmless."""
    global _active, _begin_again  # noqa: PLW0603  # as in `start`
    with _lock:
        ending, _active = _active, None
        if ending is not None:
            _begin_again = partial(_begin, ending.settings, ending.given_engine, ending.options)
    if ending is not None:
        atexit.unregister(shutdown)
        ending.shutdown(deadline)


def _chosen(settings: TelemetrySettings, parts: Mapping[str, bool | None]) -> TelemetrySettings:
    return settings.model_copy(update={name: value for name, value in parts.items() if value is not None})


def _set_up_logging(settings: TelemetrySettings) -> None:
    if settings.telemetry_logs:
        setup_logging(settings)
    else:
        POLICY.add_secrets(collect_secrets(settings))


def _warn_if_disabled() -> None:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        _log.warning("OTEL_SDK_DISABLED is true: nothing is measured, traced or recorded.")


def _ignored(
    active: Telemetry,
    settings: TelemetrySettings | None,
    engine: Engine | None,
    options: TelemetryOptions,
    parts: Mapping[str, bool | None],
) -> list[str]:
    """The arguments of a second call that differ from what runs. The untraced paths are an application's own."""
    wanted = replace(options, untraced_paths=active.options.untraced_paths)
    differ = {
        "settings": settings is not None and _chosen(settings, parts) != active.settings,
        "engine": engine is not None and engine is not active.engine,
        "options": options is not NO_OPTIONS and wanted != active.options,
    }
    chosen = {name: value not in {None, getattr(active.settings, name)} for name, value in parts.items()}
    differ |= {name.removeprefix("telemetry_"): value for name, value in chosen.items()}
    return [name for name, differs in differ.items() if differs]


def _warn_of_ignored(names: list[str]) -> None:
    if names:
        _log.warning("The telemetry runs already: telemetry.start() ignores its %s.", ", ".join(names))


@sdk_variables()
def _set_globals(telemetry: Telemetry) -> None:
    """For libraries that ask OpenTelemetry for its global providers. The API takes them once for a process."""
    guard_propagation()
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(telemetry.tracer_provider)
        metrics.set_meter_provider(telemetry.metrics.provider)
        set_logger_provider(telemetry.log_handler.provider)


def _serve() -> None:
    if (running := _active) is not None:
        running.serve()
        running.alerts.serve()


def _live_with(app: FastAPI, untraced_paths: tuple[str, ...]) -> None:
    """Shut down at the end of the application's lifespan: `atexit` is too late for a server that re-raises SIGTERM.

    A lifespan after that, as of a second test client, starts the telemetry again.
    """
    inner = app.router.lifespan_context
    if getattr(inner, _SHUTS_DOWN, False):
        return

    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncGenerator[Any]:
        _resume(app, untraced_paths)
        with nullcontext() if _active is None else _active.alerts.unclean_stops.noticing_stop_signals():
            try:
                await asyncio.to_thread(_serve)
                async with inner(application) as state:
                    yield state
            finally:
                await _shutdown_in_thread()

    setattr(lifespan, _SHUTS_DOWN, True)
    app.router.lifespan_context = lifespan


async def _shutdown_in_thread() -> None:
    """Not on the event loop, which waits for it: unless there can be no further thread."""
    try:
        await asyncio.to_thread(shutdown)
    except RuntimeError:
        shutdown()


@failsafe
def _resume(app: FastAPI, untraced_paths: tuple[str, ...]) -> None:
    """Start again what the end of an earlier lifespan has shut down, as it was."""
    global _active  # noqa: PLW0603  # as in `start`
    with _lock:
        if _active is None and _begin_again is not None:
            _active = _begin_again()
            atexit.register(shutdown)
            _active.instrument_app(app, untraced_paths)
