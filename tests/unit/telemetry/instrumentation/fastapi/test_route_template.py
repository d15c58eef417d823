"""A request that has a route is counted under it, whoever has answered it."""

import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route

from telemetry.instrumentation.fastapi.route_template import RouteResolver


class CopiesTheScope:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(dict(scope), receive, send)


class AnswersItself:
    def __init__(self, app, status=429):
        self.app = app
        self.status = status

    async def __call__(self, scope, receive, send):
        await PlainTextResponse("no", self.status)(scope, receive, send)


class Breaks(AnswersItself):
    async def __call__(self, scope, receive, send):
        raise RuntimeError("no such luck")


class Renamed(APIRoute):
    """A route of the application's own class, which keeps its scope to itself."""

    async def handle(self, scope, receive, send):
        await super().handle(dict(scope), receive, send)


def inner():
    app = FastAPI()

    @app.get("/users/{name}")
    def user(name: str) -> str:
        return name

    @app.get("/folder/")
    def folder() -> str:
        return "folder"

    return app


def build(*middleware):
    app = FastAPI()
    router = APIRouter(prefix="/v1", route_class=Renamed)

    @app.get("/items/{number}")
    def item(number: int) -> int:
        return number

    @router.get("/reviews/{review}")
    def review(review: str) -> str:
        return review

    app.include_router(router, prefix="/api")
    app.mount("/plain", inner())
    app.mount("/wrapped", TrustedHostMiddleware(CORSMiddleware(inner(), allow_origins=["*"]), ["*"]))
    app.mount("/deep", FastAPI(routes=[Mount("/er", app=inner())]))
    app.router.routes.append(Host("shop.example", inner()))
    for each, options in middleware:
        app.add_middleware(each, **options)
    return app


async def ask(app, method, path, **headers):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers=headers)


def counted(signals, app, method, path, **headers):
    signals.instrument(app)
    asyncio.run(ask(app, method, path, **headers))
    return signals.requests()


PATHS = [
    ("/items/1", "/items/{number}"),
    ("/api/v1/reviews/7", "/api/v1/reviews/{review}"),
    ("/plain/users/ann", "/plain/users/{name}"),
    ("/wrapped/users/ann", "/wrapped/users/{name}"),
    ("/deep/er/users/ann", "/deep/er/users/{name}"),
]


@pytest.mark.parametrize(("path", "route"), PATHS)
@pytest.mark.parametrize(
    ("middleware", "status"),
    [
        ((CopiesTheScope, {}), "200"),
        ((AnswersItself, {}), "429"),
        ((AnswersItself, {"status": 404}), "404"),
        ((Breaks, {}), "500"),
    ],
    ids=["copies", "limits", "hides", "breaks"],
)
def test_a_route_that_nobody_left_in_the_scope_is_matched(signals, path, route, middleware, status):
    assert counted(signals, build(middleware), "GET", path) == {(route, "GET", status): 1}


@pytest.mark.parametrize(("path", "route"), PATHS)
def test_a_preflight_belongs_to_the_route_that_it_asks_for(signals, path, route):
    app = build((CORSMiddleware, {"allow_origins": ["*"]}))

    seen = counted(
        signals, app, "OPTIONS", path, **{"origin": "http://a.example", "access-control-request-method": "GET"}
    )

    assert seen == {(route, "OPTIONS", "200"): 1}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        *[(f"{path}/", route) for path, route in PATHS],
        ("/plain/folder", "/plain/folder/"),
        ("/wrapped/folder", "/wrapped/folder/"),
        ("/nothing/", "unmatched"),
    ],
)
@pytest.mark.parametrize("middleware", [[], [(CopiesTheScope, {})]], ids=["alone", "copied"])
def test_a_redirection_to_another_slash_belongs_to_the_route_that_it_leads_to(signals, path, route, middleware):
    status = "404" if route == "unmatched" else "307"

    assert counted(signals, build(*middleware), "GET", path) == {(route, "GET", status): 1}


@pytest.mark.parametrize("path", ["/wp-login.php", "/plain/.env", "/wrapped/.env", "/deep/er/x", "/api/v1/none", "//"])
@pytest.mark.parametrize(
    ("middleware", "status"),
    [([], "404"), ([(CopiesTheScope, {})], "404"), ([(AnswersItself, {})], "429"), ([(Breaks, {})], "500")],
    ids=["alone", "copies", "limits", "breaks"],
)
def test_a_scanners_path_is_unmatched_whoever_answers(signals, path, middleware, status):
    assert counted(signals, build(*middleware), "GET", path) == {("unmatched", "GET", status): 1}


def test_a_slash_that_is_not_redirected_is_unmatched(signals):
    app = build()
    app.router.redirect_slashes = False

    assert counted(signals, app, "GET", "/items/1/") == {("unmatched", "GET", "404"): 1}


def test_a_host_has_routes_of_its_own(signals):
    app = build((CopiesTheScope, {}))

    assert counted(signals, app, "GET", "/users/ann", host="shop.example") == {("/users/{name}", "GET", "200"): 1}


def test_a_middleware_of_functions_leaves_the_route(signals):
    async def dispatch(request, call_next):
        return await call_next(request)

    app = build((CopiesTheScope, {}), (BaseHTTPMiddleware, {"dispatch": dispatch}))

    assert counted(signals, app, "GET", "/items/1") == {("/items/{number}", "GET", "200"): 1}


class Counting(BaseRoute):
    """A route that fits nothing, and counts how often it is asked."""

    asked = 0

    def matches(self, scope):
        self.asked += 1
        return Match.NONE, {}


@pytest.mark.parametrize(("path", "times"), [("/items/1", 1), ("/none", 2)])
def test_routes_are_not_matched_a_second_time_where_the_router_has_left_its_result(signals, path, times):
    app, counting = build(), Counting()
    app.router.routes.insert(0, counting)
    signals.instrument(app)

    asyncio.run(ask(app, "GET", path))

    assert counting.asked == times  # the router asks again for a path with another slash


def test_an_application_that_is_mounted_in_itself_has_an_end():
    app = FastAPI(openapi_url=None)
    app.router.routes.append(Mount("", app=app))

    assert RouteResolver(app).resolve({"type": "http", "method": "GET", "path": "/x", "headers": []}) is None


def test_a_mounted_function_is_named_by_its_mount(signals):
    app = build((CopiesTheScope, {}))
    app.mount("/answers", AnswersItself(None))
    app.router.routes.append(Route("/last", lambda _request: PlainTextResponse("last")))

    assert counted(signals, app, "GET", "/answers/x") == {("/answers/{path}", "GET", "429"): 1}
