"""FastAPI dependencies: objects that `create_app` puts into the application's state."""

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request

from service.clients import Clients
from service.database.clock import DatabaseClock
from service.database.process_engines import Engines
from service.jobs.job_commands import JobCommands
from service.scheduler.job import Schedule
from service.scheduler.scheduler import Scheduler
from service.settings import Settings
from telemetry import Telemetry
from telemetry.jobs import JobRunRepository


class RuntimeDependencies(Protocol):
    """`interactive_clients` waits no longer than somebody at the other end of a request would."""

    engines: Engines
    clock: DatabaseClock
    scheduler: Scheduler
    job_commands: JobCommands
    interactive_clients: Clients


async def get_runtime(request: Request) -> RuntimeDependencies:
    """A coroutine: FastAPI runs a plain function in a worker thread, and a request would have to wait for one."""
    return cast("RuntimeDependencies", request.app.state.runtime)


RuntimeDep = Annotated[RuntimeDependencies, Depends(get_runtime)]


async def get_job_runs(runtime: RuntimeDep) -> JobRunRepository:
    return JobRunRepository(runtime.engines.requests)


async def get_telemetry(request: Request) -> Telemetry:
    return cast("Telemetry", request.app.state.telemetry)


async def get_schedule(request: Request) -> Schedule:
    return cast("Schedule", request.app.state.schedule)


async def get_settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


JobRunsDep = Annotated[JobRunRepository, Depends(get_job_runs)]
TelemetryDep = Annotated[Telemetry, Depends(get_telemetry)]
ScheduleDep = Annotated[Schedule, Depends(get_schedule)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
