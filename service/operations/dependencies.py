"""Dependencies of the operations' routes: what `create_app` put into the application's state.

Coroutines, all of them: a plain function would be run in a worker thread, and wait for one when all of them hang.
"""

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.errors import Problem
from service.schedule import Schedule
from service.settings import Settings
from telemetry.setup import Telemetry


class Unauthorized(Problem):
    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # declared a ClassVar by Problem


async def telemetry_of(request: Request) -> Telemetry:
    return cast("Telemetry", request.app.state.telemetry)


async def schedule_of(request: Request) -> Schedule:
    return cast("Schedule", request.app.state.schedule)


TelemetryDep = Annotated[Telemetry, Depends(telemetry_of)]
ScheduleDep = Annotated[Schedule, Depends(schedule_of)]

_bearer = HTTPBearer(auto_error=False, description="OPS_TOKEN, when the service has one")


async def require_ops_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let nobody in without `OPS_TOKEN`, when there is one; compared in constant time."""
    settings = cast("Settings", request.app.state.settings)
    if settings.ops_token is None:
        return
    token = given.credentials if given else ""  # a header is bytes, which the server has read as Latin-1
    if not hmac.compare_digest(token.encode("latin-1"), settings.ops_token.get_secret_value().encode()):
        raise Unauthorized("This needs the header Authorization: Bearer and the service's OPS_TOKEN.")
