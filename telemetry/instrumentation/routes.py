"""Routes: the template of the route that answered a request, read from what the router left in the ASGI scope."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount

Scope = MutableMapping[str, Any]


class RouteTemplates:
    """Reads `/reviews/{review_id}` from a scope after routing; a path that matched no route has none.

    FastAPI leaves its route in the scope, and the full template of a nested router beside it. Starlette's plain routes
    (`/docs`, mounted files) leave their endpoint only, so those are looked up by it.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._by_endpoint: dict[object, str | None] = {}

    def of(self, scope: Scope, root_path: str = "") -> str | None:
        """`root_path` is what the server was told; what a mounted application added to it belongs to the template."""
        template = _left_by_fastapi(scope) or self._by_its_endpoint(scope.get("endpoint"))
        if template is None:
            return None
        return str(scope.get("root_path", "")).removeprefix(root_path) + template

    def _by_its_endpoint(self, endpoint: object) -> str | None:
        if endpoint is None:
            return None
        if endpoint not in self._by_endpoint:
            self._by_endpoint[endpoint] = _find(self._app.routes, endpoint)
        return self._by_endpoint[endpoint]


def _left_by_fastapi(scope: Scope) -> str | None:
    nested = scope.get("fastapi", {}).get("effective_route_context")
    return getattr(nested or scope.get("route"), "path_format", None)


def _find(routes: Iterable[BaseRoute], endpoint: object) -> str | None:
    for route in routes:
        if isinstance(route, Mount) and route.app is endpoint and not isinstance(route.app, Starlette):
            return "/{path}"  # the mount's own path is in the root path by then
        if getattr(route, "endpoint", None) is endpoint:
            return getattr(route, "path", None)
    return None
