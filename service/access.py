"""Access: who may do what. A coroutine: a plain function would be run in a worker thread, and wait for one."""

import hmac
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.errors import Problem
from service.settings import Settings


class Unauthorized(Problem):
    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # declared a ClassVar by Problem


class Closed(Problem):
    """It is never open to everybody, and this service has no token by which somebody could come in."""

    status = 403


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


async def require_ops_token_always(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let nobody in without `OPS_TOKEN`, and nobody at all where there is none."""
    if cast("Settings", request.app.state.settings).ops_token is None:
        raise Closed(
            "This changes what buyers see, so it needs OPS_TOKEN to be set, and sent as Authorization: Bearer."
        )
    await require_ops_token(request, given)
