"""What the routes depend on: the running telemetry, its parts, and the operator's token."""

import hmac
from typing import Annotated, Final

from fastapi import Depends, Header, HTTPException

from telemetry import setup
from telemetry.build import Telemetry

UNAUTHORIZED: Final = "This needs the header Authorization: Bearer and the service's OPS_TOKEN."
NOT_STARTED: Final = "The telemetry of this process is not started: call telemetry.start(app=app)."
_NO_JOBS: Final = "Job runs are not recorded here: TELEMETRY_JOBS is false, or telemetry.start(jobs=False) was called."
_NO_ALERTS: Final = "There are no alerts here: TELEMETRY_ALERTS is false, or telemetry.start(alerts=False) was called."
MAX_ID: Final = 2**63 - 1


async def _running() -> Telemetry:
    if (active := setup.current()) is None:
        raise HTTPException(503, NOT_STARTED)
    return active


Running = Annotated[Telemetry, Depends(_running)]


async def _recording(telemetry: Running) -> Telemetry:
    if not telemetry.jobs.is_on:
        raise HTTPException(404, _NO_JOBS)
    return telemetry


async def _alerting(telemetry: Running) -> Telemetry:
    if not telemetry.alerts.is_on:
        raise HTTPException(404, _NO_ALERTS)
    return telemetry


Recording = Annotated[Telemetry, Depends(_recording)]
Alerting = Annotated[Telemetry, Depends(_alerting)]


def is_authorized(telemetry: Telemetry, authorization: str) -> bool:
    """Whether a header has `OPS_TOKEN` as its bearer token, or none is needed. The comparison takes constant time."""
    if (token := telemetry.settings.ops_token) is None:
        return True
    scheme, _, given = authorization.partition(" ")
    wanted = token.get_secret_value().encode()
    return hmac.compare_digest(given.strip().encode("latin-1", "replace"), wanted) and scheme.lower() == "bearer"


async def require_token(telemetry: Running, authorization: Annotated[str, Header()] = "") -> None:
    if not is_authorized(telemetry, authorization):
        raise HTTPException(401, UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
