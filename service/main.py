"""The ASGI application: `create_app()`, and `app` for `uvicorn service.main:app`."""

import asyncio
import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NoReturn

import psutil
from fastapi import Depends, FastAPI

from service import __version__
from service.api import (
    alerts,
    docs,
    health,
    job_actions,
    job_stats,
    jobs,
    metrics,
    orders,
    review_actions,
    reviews,
    sources,
)
from service.api.auth import require_ops_token, require_ops_token_or_password
from service.api.costs import cost_routes
from service.api.edge.admission import Admissions
from service.api.edge.foreign_pages import HostCheck
from service.api.middleware import wrap_app
from service.api.openapi import ABOUT, install_openapi
from service.api.problems import install_exception_handlers
from service.api.schemas.problem_schemas import COMMON, UNAUTHORIZED, UNKNOWN_PARAMETER
from service.api.unknown_parameters import reject_unknown_parameters
from service.bootstrap import Service
from service.console.mounting import mount_console
from service.database import migrations
from service.settings import Settings
from telemetry.health import DatabaseCheck, ParentWatch, stopping_on_signals
from telemetry.logs import report_uncaught
from telemetry.profiling import ContinuousProfiler
from telemetry.settings import SettingsError

WORKER_FAILED: Final = 3
"""The exit code of a worker with which uvicorn and gunicorn end. A worker with any other one is started again and again."""
_SERVERS: Final = frozenset({"uvicorn", "uvicorn_worker", "gunicorn", "hypercorn", "granian"})
_FIRST_WORKERS_SECONDS: Final = 60.0  # between the start of the parent and that of its first workers, on a busy machine
_WAIT_FOR_FIRST_SECONDS: Final = 20.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """Create the application, with the settings of the environment by default.

    A server that calls it without settings (`uvicorn --factory service.main:create_app`), or whose worker calls it so, ends with
    one line if they are wrong.
    """
    if settings is not None:
        return _create_app(settings)
    try:
        return _create_app(Settings.read())
    except Exception as error:
        if _is_called_by_server() or _is_first_worker():
            _end_start(error)
        raise


def _create_app(settings: Settings) -> FastAPI:
    service = Service(settings)
    app = FastAPI(
        **ABOUT,
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=COMMON,
    )
    app.state.runtime = service
    app.state.settings = service.settings
    app.state.telemetry = service.telemetry
    app.state.schedule = service.schedule
    app.state.admissions = Admissions()
    app.state.health = health.ServiceHealth.create(
        service.lifecycle,
        service.telemetry.resources,
        service.settings,
        {
            "database": DatabaseCheck(service.engines.probes),
            "migrations": lambda: migrations.at_head(service.engines.probes),
            "scheduler": service.scheduler.check,
            "alerts": service.telemetry.alerts.check,
        },
    )
    install_exception_handlers(app)
    install_openapi(app)
    _include_routers(app)
    mount_console(app, service, app.state.health)
    wrap_app(app, service.settings.exposure_warning, HostCheck(service.settings))
    service.telemetry.instrument_app(app)
    return app


def _include_routers(app: FastAPI) -> None:
    app.include_router(health.router)
    known_only = Depends(reject_unknown_parameters)
    app.include_router(reviews.router, dependencies=[known_only], responses=UNKNOWN_PARAMETER)
    app.include_router(review_actions.router, responses=UNKNOWN_PARAMETER)  # its routes check the token first
    app.include_router(orders.router, dependencies=[known_only], responses=UNKNOWN_PARAMETER)
    operators, protected = [Depends(require_ops_token), known_only], UNAUTHORIZED | UNKNOWN_PARAMETER
    for router in (
        jobs.router,
        job_stats.router,
        job_actions.router,
        alerts.router,
        sources.router,
        cost_routes.router,
    ):
        app.include_router(router, dependencies=operators, responses=protected)
    app.include_router(metrics.router, dependencies=[Depends(require_ops_token)], responses=UNAUTHORIZED)
    app.include_router(docs.router, dependencies=[Depends(require_ops_token_or_password)])


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    service: Service = app.state.runtime
    unclean_stops = service.telemetry.alerts.unclean_stops

    def stop_orphaned() -> None:
        unclean_stops.keep()
        service.limit_grace()

    profiler = ContinuousProfiler(
        service.settings.pyroscope_server_address, service.telemetry.tracer_provider, role="server"
    )
    with (
        stopping_on_signals(service.stop_signal.set),
        unclean_stops.noticing_stop_signals(),
        ParentWatch(stop_orphaned, service.stop),
        profiler,
    ):
        unclean_stops.begin()
        service.start()
        await asyncio.to_thread(service.telemetry.serve)
        try:
            yield
        finally:
            await asyncio.to_thread(service.stop)


def __getattr__(name: str) -> Any:
    """Make `app` when it is first used: importing this module starts nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        application = create_app()
    except Exception as error:  # noqa: BLE001  # uvicorn would print it as it is
        _end_start(error)
    gc.freeze()  # a full collection would visit what the imports have made, for 70 ms of some request
    globals()["app"] = application
    return application


def _is_called_by_server() -> bool:
    """Whether the caller of the calling function is a server, and no module of an application."""
    caller = str(sys._getframe(2).f_globals.get("__name__"))  # noqa: SLF001  # as `inspect.currentframe`
    return caller.partition(".")[0] in _SERVERS


def _end_start(error: Exception) -> NoReturn:
    """Say in one line why the service does not start, and end it, also if this is one of its workers."""
    is_worker = _is_first_worker()
    if is_worker and multiprocessing.current_process().name not in {"MainProcess", "SpawnProcess-1"}:
        _wait_for_end()
    if not isinstance(error, SettingsError):
        report_uncaught(error)
    elif is_worker:
        print(error, file=sys.stderr, flush=True)  # noqa: T201  # logging is not set up yet
    else:
        sys.exit(str(error))
    sys.exit(WORKER_FAILED if is_worker else 1)


def _wait_for_end() -> None:
    """Let the first worker of uvicorn say why: its parent then ends the others, which need not say the same."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # uvicorn's own handler would only note it
    time.sleep(_WAIT_FOR_FIRST_SECONDS)


def _is_first_worker() -> bool:
    """Whether this process is among the first workers of its parent. A later one would end those that serve."""
    if multiprocessing.parent_process() is None and "gunicorn.arbiter" not in sys.modules:
        return False
    try:
        parent_started_at = psutil.Process(os.getppid()).create_time()
    except psutil.Error:  # the parent is gone
        return False
    return psutil.Process().create_time() - parent_started_at < _FIRST_WORKERS_SECONDS
