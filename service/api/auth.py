"""Access: who may do what. A coroutine: a plain function would be run in a worker thread, and wait for one."""

import hmac
from typing import Annotated, Any, Final, cast

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from service.errors import Problem
from service.settings import Settings


class Unauthorized(Problem):
    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # declared a ClassVar by Problem


class BasicAuthRequired(Unauthorized):
    headers = {"WWW-Authenticate": 'Bearer, Basic realm="OPS_TOKEN is the password", charset="UTF-8"'}  # noqa: RUF012  # the same


class OpsTokenNotConfigured(Problem):
    """It is never open to everybody, and this service has no token by which somebody could come in."""

    status = 403


_NEEDED: Final = "This needs the header Authorization: Bearer and the service's OPS_TOKEN."
_bearer = HTTPBearer(auto_error=False, description="OPS_TOKEN, when the service has one")


class _Password(HTTPBasic):
    """What cannot be read is no password; FastAPI's own refuses it in words of its own."""

    async def __call__(self, request: Request) -> HTTPBasicCredentials | None:  # type: ignore[override]
        try:
            return await super().__call__(request)
        except HTTPException:
            return None


_basic: Any = _Password(auto_error=False, description="OPS_TOKEN as the password, for a browser")


async def require_ops_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let nobody in without `OPS_TOKEN`, when there is one; compared in constant time."""
    token = given.credentials if given else ""  # a header is bytes, which the server has read as Latin-1
    if not _is_authorized(request, token.encode("latin-1")):
        raise Unauthorized(_NEEDED)


async def require_ops_token_or_password(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    login: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> None:
    """For pages that a browser shows: it asks whoever sits before it for a password, which is `OPS_TOKEN`; any user will do.

    For nothing that changes something: a browser sends a password with whatever a page of strangers makes it ask for.
    """
    token = given.credentials.encode("latin-1") if given else login.password.encode() if login else b""
    if not _is_authorized(request, token):
        raise BasicAuthRequired(_NEEDED)


def _is_authorized(request: Request, token: bytes) -> bool:
    settings = cast("Settings", request.app.state.settings)
    return settings.ops_token is None or hmac.compare_digest(token, settings.ops_token.get_secret_value().encode())


async def require_configured_ops_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let nobody in without `OPS_TOKEN`, and nobody at all where there is none."""
    if cast("Settings", request.app.state.settings).ops_token is None:
        raise OpsTokenNotConfigured(
            "This changes what buyers see, so it needs OPS_TOKEN to be set, and sent as Authorization: Bearer."
        )
    await require_ops_token(request, given)
