"""Resolves `http.route`: the template of the route that handled a request, from the ASGI scope."""

from collections.abc import Iterable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Match, Mount

from telemetry.failsafe import failsafe
from telemetry.instrumentation.fastapi.published import find_layers

Scope = MutableMapping[str, Any]
_NOT_FOUND: Final = HTTPStatus.NOT_FOUND
_REDIRECTIONS: Final = range(300, 400)
_MAX_DEPTH: Final = 20
"""No application is mounted that deep: one that is mounted in itself has no end."""


class RouteResolver:
    """Resolves templates such as `/items/{item_id}` for the requests of one application.

    FastAPI puts its route into the scope, and the full template of a nested router beside it. If neither is there, the routes are
    matched here: for Starlette's plain routes such as `/docs`, for mounted applications, and for requests that a middleware has
    answered itself or has passed on with a copy of the scope. If the application's router has found no route (404), none is.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def resolve(self, scope: Scope, root_path: str = "", status: object = None) -> str | None:
        """Resolve the route of a scope after routing.

        Args:
            scope: the ASGI scope of the request.
            root_path: the server's root path; in `scope` a mounted application has appended its own path to it.
            status: that of the response. A redirection leads to the route with a slash more or less, if there is one.

        Returns:
            The template; None if no route matched.
        """
        if scope.get("root_path", "") == root_path:
            nested = scope["fastapi"].get("effective_route_context") if "fastapi" in scope else None
            if template := getattr(nested or scope.get("route"), "path_format", None):
                return template if type(template) is str else str(template)
        if status == _NOT_FOUND and "router" in scope and "endpoint" not in scope:
            return None
        return self._match(scope, root_path, status)

    @failsafe
    def _match(self, scope: Scope, root_path: str, status: object) -> str | None:
        routes, asked = self._app.routes, {**scope, "root_path": root_path}
        found = _match(routes, asked)
        if found is None and status in _REDIRECTIONS:
            found = _match(routes, {**asked, "path": _with_other_slash(scope["path"])})
        return found


def _with_other_slash(path: str) -> str:
    """The path that a router looks for if it knows none without, or with, a slash at its end."""
    return path.rstrip("/") if path.endswith("/") else f"{path}/"


def _match(routes: Iterable[BaseRoute], scope: Scope, depth: int = 0) -> str | None:
    """The template that the router would choose: of the first full match, else of the first match by path alone."""
    partial: str | None = None
    for route in iter_route_contexts(list(routes)):
        match, child = route.matches(scope)
        if match is Match.FULL:
            return _template(route, {**scope, **child}, depth)
        if match is Match.PARTIAL and partial is None:
            partial = _template(route, {**scope, **child}, depth)
    return partial


def _template(route: RouteContext, scope: Scope, depth: int) -> str | None:
    template = route.path_format or ""
    if not (mounted := _mounted(route)):
        return template
    inner = _match(mounted, scope, depth + 1) if depth < _MAX_DEPTH else None
    return None if inner is None else template.removesuffix("/{path}") + inner


def _mounted(route: RouteContext) -> Sequence[BaseRoute]:
    """The routes of a mounted application, which may be behind middleware."""
    if found := getattr(route, "routes", None):
        return list(found)
    layers = find_layers(getattr(route, "app", None)) if isinstance(route.original_route, Mount | Host) else ()
    return next((list(found) for layer in layers if (found := getattr(layer, "routes", None))), [])
