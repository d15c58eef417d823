"""FastAPI dependencies that require the operator's token, `OPS_TOKEN`.

They are coroutines: FastAPI runs a plain function in a worker thread, and a request would have to wait for one.
"""

import hmac
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Annotated, Any, Final, cast

from fastapi import Depends, HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials, HTTPBearer

from service.api.edge.foreign_pages import check_change
from service.errors import Problem
from service.settings import Settings


class OpsTokenRequired(Problem):
    """401: the request has no valid token."""

    status = 401
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012  # declared a ClassVar by Problem


class BasicAuthRequired(OpsTokenRequired):
    """401 that makes a browser ask for a password."""

    headers = {"WWW-Authenticate": 'Bearer, Basic realm="OPS_TOKEN is the password", charset="UTF-8"'}  # noqa: RUF012  # the same


class OpsTokenNotConfigured(Problem):
    """403: the route always requires the token, and the service has none."""

    status = 403


_AUTHORIZATION_REQUIRED: Final = "This needs the header Authorization: Bearer and the service's OPS_TOKEN."
PUBLISHING_REQUIREMENT: Final = (
    "This changes what buyers see, so it needs OPS_TOKEN to be set, and sent as Authorization: Bearer."
)
_bearer = HTTPBearer(auto_error=False, description="`OPS_TOKEN`, if the service has one.")


class _Password(HTTPBasic):
    """Treats a malformed header as no password, where FastAPI's class would answer with an error of its own."""

    async def __call__(self, request: Request) -> HTTPBasicCredentials | None:  # type: ignore[override]
        try:
            return await super().__call__(request)
        except HTTPException:
            return None


_basic: Any = _Password(auto_error=False, description="OPS_TOKEN as the password, for a browser")


async def require_ops_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Require `OPS_TOKEN` as the bearer token if the service has one. The comparison takes constant time.

    If it has none, what changes something must not come from a page of another site.

    Raises:
        OpsTokenRequired: the token is missing or wrong.
        OriginRejected: see `check_change`.
        JsonRequired: likewise.
    """
    token = given.credentials if given else ""  # the server decodes the bytes of a header as Latin-1
    if not _is_authorized(request, token.encode("latin-1")):
        raise OpsTokenRequired(_AUTHORIZATION_REQUIRED)
    if (settings := _settings(request)).ops_token is None:
        check_change(request.scope, settings)


async def require_ops_token_or_password(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    login: Annotated[HTTPBasicCredentials | None, Depends(_basic)],
) -> None:
    """Require `OPS_TOKEN` as the bearer token, or as the password of any user: a browser asks the user for it.

    Not for routes that change something: a browser also sends a stored password with requests from pages of other sites.

    Raises:
        BasicAuthRequired: the token is missing or wrong.
    """
    token = given.credentials.encode("latin-1") if given else login.password.encode() if login else b""
    if not _is_authorized(request, token):
        raise BasicAuthRequired(_AUTHORIZATION_REQUIRED)


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


def _is_authorized(request: Request, token: bytes) -> bool:
    settings = _settings(request)
    return settings.ops_token is None or hmac.compare_digest(token, settings.ops_token.get_secret_value().encode())


async def require_configured_ops_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Require `OPS_TOKEN` as the bearer token, also if the service has none.

    Raises:
        OpsTokenNotConfigured: the service has no token.
        OpsTokenRequired: the token is missing or wrong.
    """
    if _settings(request).ops_token is None:
        raise OpsTokenNotConfigured(PUBLISHING_REQUIREMENT)
    await require_ops_token(request, given)


async def authorize(request: Request) -> None:
    """Require what the request's route requires. FastAPI does so, too, but only after it has read the whole body.

    Raises:
        OpsTokenNotConfigured: see `require_configured_ops_token`.
        OpsTokenRequired: the token is missing or wrong.
    """
    route = request.scope.get("fastapi", {}).get("effective_route_context") or request.scope.get("route")
    for call in dependency_calls(getattr(route, "dependant", None)):
        if check := CHECKS.get(call):
            await check(request)


def dependency_calls(dependant: Dependant | None) -> Iterator[Callable[..., Any] | None]:
    """The functions of all dependencies of a route, in the order of FastAPI."""
    for each in dependant.dependencies if dependant else ():
        yield from dependency_calls(each)
        yield each.call


async def _check_token(request: Request) -> None:
    await require_ops_token(request, await _bearer(request))


async def _check_token_or_password(request: Request) -> None:
    await require_ops_token_or_password(request, await _bearer(request), await _basic(request))


async def _check_configured_token(request: Request) -> None:
    await require_configured_ops_token(request, await _bearer(request))


CHECKS: Final[Mapping[Callable[..., Any] | None, Callable[[Request], Awaitable[None]]]] = {
    require_ops_token: _check_token,
    require_ops_token_or_password: _check_token_or_password,
    require_configured_ops_token: _check_configured_token,
}
