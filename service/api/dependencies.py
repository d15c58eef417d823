"""The desk: what the routes of the business work with, as `create_app` put it into the application's state."""

from typing import Annotated, Protocol, cast

from fastapi import Depends, Request
from sqlalchemy.engine import Engine

from service.clients import Clients
from service.scheduler.job import Schedule
from telemetry import Telemetry


class RuntimeDependencies(Protocol):
    """`interactive_clients` waits no longer than somebody at the other end of a request would."""

    engine: Engine
    interactive_clients: Clients


async def runtime_dependencies(request: Request) -> RuntimeDependencies:
    """A coroutine: a plain function would be run in a worker thread, and wait for one."""
    return cast("RuntimeDependencies", request.app.state.runtime)


RuntimeDep = Annotated[RuntimeDependencies, Depends(runtime_dependencies)]


async def telemetry_of(request: Request) -> Telemetry:
    return cast("Telemetry", request.app.state.telemetry)


async def schedule_of(request: Request) -> Schedule:
    return cast("Schedule", request.app.state.schedule)


TelemetryDep = Annotated[Telemetry, Depends(telemetry_of)]
ScheduleDep = Annotated[Schedule, Depends(schedule_of)]
