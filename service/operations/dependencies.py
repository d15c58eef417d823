"""Dependencies of the operations' routes: what `create_app` put into the application's state.

Coroutines, all of them: a plain function would be run in a worker thread, and wait for one when all of them hang.
"""

from typing import Annotated, cast

from fastapi import Depends, Request

from service.schedule import Schedule
from telemetry.setup import Telemetry


async def telemetry_of(request: Request) -> Telemetry:
    return cast("Telemetry", request.app.state.telemetry)


async def schedule_of(request: Request) -> Schedule:
    return cast("Schedule", request.app.state.schedule)


TelemetryDep = Annotated[Telemetry, Depends(telemetry_of)]
ScheduleDep = Annotated[Schedule, Depends(schedule_of)]
