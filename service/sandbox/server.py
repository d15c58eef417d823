"""The server: the four fakes under one port, behind the faults that are set, and the controls of the sandbox itself."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.sandbox.faults import Faults, FaultyService
from service.sandbox.service import Environment, FakeService

HEADER: Final = "x-sandbox"
MARK: Final = "sovani"
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}}code{{background:#eee;padding:.1em .3em}}</style>
<h1>This is a sandbox</h1>
<p>Wildberries, Ozon, OpenAI and Telegram as they are known to answer, on this machine alone. Nothing here is real, and
nothing leaves. Seed {seed}, began {epoch}.</p>
<ul><li><a href="/phone">The phone</a>: the messages that arrived</li>
<li><a href="/sandbox/faults">The faults</a> that are set; <code>PUT</code> sets others</li></ul>
<p>Served: {prefixes}</p></html>"""


class Sandbox:
    """What runs: the fakes by name, and the faults of the moment."""

    def __init__(self, ground: Environment, fakes: Mapping[str, FakeService], faults: Faults) -> None:
        self.ground = ground
        self.fakes = dict(fakes)
        self.faults = faults

    def app(self) -> ASGIApp:
        """The application."""
        return _Marked(Starlette(routes=[*self._controls(), *self._served()]))

    def _served(self) -> list[BaseRoute]:
        mounts: list[BaseRoute] = []
        for name, fake in self.fakes.items():
            for prefix, routes in fake.routes().items():
                if not prefix:
                    mounts.extend(routes)
                    continue
                served = FaultyService(
                    Starlette(routes=routes), fake, lambda: self.faults, self.ground.world.random("faults", name)
                )
                mounts.append(Mount(prefix, app=served))
        return mounts

    def _controls(self) -> list[BaseRoute]:
        return [
            Route("/", self._index),
            Route("/sandbox/faults", self._read_faults),
            Route("/sandbox/faults", self._set_faults, methods=["PUT"]),
            Route("/sandbox/living", self._set_living, methods=["PUT"]),
            Route("/sandbox/truth/{service}/{kind}", self._read_truth),
        ]

    async def _index(self, _request: Request) -> Response:
        world = self.ground.world
        prefixes = ", ".join(f"<code>{route.path}</code>" for route in self._served() if isinstance(route, Mount))
        return HTMLResponse(_PAGE.format(seed=world.seed, epoch=world.epoch.isoformat(), prefixes=prefixes))

    async def _read_faults(self, _request: Request) -> Response:
        return JSONResponse(self.faults.as_mapping())

    async def _set_faults(self, request: Request) -> Response:
        try:
            self.faults = Faults.from_mapping(await _object(request))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return JSONResponse(self.faults.as_mapping())

    async def _set_living(self, request: Request) -> Response:
        """`{"living": false}`: nothing new happens in the world until it lives again."""
        living = (await _object(request)).get("living")
        if not isinstance(living, bool):
            raise HTTPException(422, "`living` must be true or false.")
        if living:
            self.ground.world.thaw()
        else:
            self.ground.world.freeze()
        return JSONResponse({"living": living})

    async def _read_truth(self, request: Request) -> Response:
        service, kind = request.path_params["service"], request.path_params["kind"]
        try:
            found = list(self.fakes[service].truth(kind))
        except KeyError:
            raise HTTPException(404, f"There is no truth about {service}/{kind}.") from None
        return JSONResponse({"options": _plain(asdict(self.ground.options)), kind: found})


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | float | bool) else str(value) for name, value in options.items()}


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise HTTPException(422, "The body must be a JSON object.")
    return body


class _Marked:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER.encode(), MARK.encode())]
            await send(message)

        await self._app(scope, receive, marked)
