"""Resolves `http.route`: the template of the route that handled a request, from the ASGI scope."""

from collections.abc import Iterable, MutableMapping
from typing import Any

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match

from telemetry.failsafe import failsafe

Scope = MutableMapping[str, Any]


class RouteResolver:
    """Resolves templates such as `/items/{item_id}` for the requests of one application.

    FastAPI puts its route into the scope, and the full template of a nested router beside it. If neither is there (Starlette's
    plain routes such as `/docs`, and mounted applications), the routes are matched a second time.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def resolve(self, scope: Scope, root_path: str = "") -> str | None:
        """Resolve the route of a scope after routing.

        Args:
            scope: the ASGI scope of the request.
            root_path: the server's root path; in `scope` a mounted application has appended its own path to it.

        Returns:
            The template; None if no route matched.
        """
        if scope.get("root_path", "") == root_path:
            nested = scope["fastapi"].get("effective_route_context") if "fastapi" in scope else None
            if template := getattr(nested or scope.get("route"), "path_format", None):
                return str(template)
        return self._match_again(scope, root_path) if "endpoint" in scope else None

    @failsafe
    def _match_again(self, scope: Scope, root_path: str) -> str | None:
        return _match(self._app.routes, {**scope, "root_path": root_path})


def _match(routes: Iterable[BaseRoute], scope: Scope) -> str | None:
    """The template that the router would choose: of the first full match, else of the first match by path alone."""
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
