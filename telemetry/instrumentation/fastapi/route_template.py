"""Routes: the template of the route that answered a request, read from what the router left in the ASGI scope."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match

from telemetry.failsafe import failsafe

Scope = MutableMapping[str, Any]


class RouteResolver:
    """Reads `/books/{book_id}` from a scope after routing; a path that matched no route has none.

    FastAPI leaves its route in the scope, and the full template of a nested router beside it. Where it leaves neither
    (Starlette's plain routes such as `/docs`, and whatever is mounted), the routes are matched once more.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app

    @failsafe
    def of(self, scope: Scope, root_path: str = "") -> str | None:
        """`root_path` is what the server was told; a mounted application adds to it the path that was asked for."""
        if scope.get("root_path", "") == root_path and (template := _fastapi_template(scope)):
            return template
        if "endpoint" not in scope:
            return None
        return _match(self._app.routes, {**scope, "root_path": root_path})


def _fastapi_template(scope: Scope) -> str | None:
    nested = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(nested or scope.get("route"), "path_format", None)


def _match(routes: Iterable[BaseRoute], scope: Scope) -> str | None:
    """As the router chooses: the first that takes path and method, else the first that takes the path."""
    partial: str | None = None
    for route in iter_route_contexts(list(routes)):
        match, child = route.matches(scope)
        if match is Match.FULL:
            return _template(route, {**scope, **child})
        if match is Match.PARTIAL and partial is None:
            partial = _template(route, {**scope, **child})
    return partial


def _template(route: RouteContext, scope: Scope) -> str | None:
    template = route.path_format or ""
    if not (mounted := getattr(route, "routes", None)):
        return template
    inner = _match(mounted, scope)
    return None if inner is None else template.removesuffix("/{path}") + inner
