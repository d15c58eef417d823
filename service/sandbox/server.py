"""The application of the sandbox: all fake services under one port, with fault injection, and its control routes."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.sandbox.fake_service import Environment, FakeService
from service.sandbox.faults import Faults, FaultyService, OnServed
from service.sandbox.served_calls import ServedCall, ServedCalls

SANDBOX_HEADER: Final = "x-sandbox"
SANDBOX_HEADER_VALUE: Final = "sovani"
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}}code{{background:#eee;padding:.1em .3em}}</style>
<h1>This is a sandbox</h1>
<p>Wildberries, Ozon, OpenAI and Telegram as they are known to answer, on this machine alone. Nothing here is real, and
nothing leaves. Seed {seed}, began {epoch}.</p>
<ul><li><a href="/phone">The phone</a>: the messages that arrived</li>
<li><a href="/sandbox/faults">The faults</a> that are set; <code>PUT</code> sets others</li>
<li><a href="/sandbox/calls">The calls</a> that were served, with their faults</li></ul>
<p>Served: {prefixes}</p></html>"""


class Sandbox:
    """The fake services by name, and the current rates of the faults."""

    def __init__(self, environment: Environment, fakes: Mapping[str, FakeService], faults: Faults) -> None:
        self.environment = environment
        self.fakes = dict(fakes)
        self.faults = faults
        self.calls = ServedCalls()

    def app(self) -> ASGIApp:
        """The ASGI application."""
        return _AddSandboxHeader(Starlette(routes=[*self._control_routes(), *self._service_routes()]))

    def _service_routes(self) -> list[BaseRoute]:
        all_routes: list[BaseRoute] = []
        for name, fake in self.fakes.items():
            for prefix, routes in fake.routes().items():
                if not prefix:
                    all_routes.extend(routes)
                    continue
                app = FaultyService(
                    Starlette(routes=routes),
                    fake,
                    lambda: self.faults,
                    self.environment.simulation.random("faults", name),
                    self._counting(name),
                )
                all_routes.append(Mount(prefix, app=app))
        return all_routes

    def _counting(self, service: str) -> OnServed:
        return lambda fault, status, reached: self.calls.add(ServedCall(service, fault, status, reached))

    def _control_routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._index),
            Route("/sandbox/faults", self._read_faults),
            Route("/sandbox/faults", self._set_faults, methods=["PUT"]),
            Route("/sandbox/calls", self._read_calls),
            Route("/sandbox/living", self._set_running, methods=["PUT"]),
            Route("/sandbox/truth/{service}/{kind}", self._read_expected_state),
        ]

    async def _index(self, _request: Request) -> Response:
        simulation = self.environment.simulation
        prefixes = ", ".join(
            f"<code>{route.path}</code>" for route in self._service_routes() if isinstance(route, Mount)
        )
        return HTMLResponse(_PAGE.format(seed=simulation.seed, epoch=simulation.epoch.isoformat(), prefixes=prefixes))

    async def _read_faults(self, _request: Request) -> Response:
        return JSONResponse(self.faults.as_mapping())

    async def _set_faults(self, request: Request) -> Response:
        try:
            self.faults = Faults.from_mapping(await _read_object(request))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return JSONResponse(self.faults.as_mapping())

    async def _read_calls(self, _request: Request) -> Response:
        """What became of the calls of the fake services so far."""
        return JSONResponse({"calls": list(self.calls)})

    async def _set_running(self, request: Request) -> Response:
        """`{"living": false}` freezes the simulation: nothing new happens until it runs again."""
        running = (await _read_object(request)).get("living")
        if not isinstance(running, bool):
            raise HTTPException(422, "`living` must be true or false.")
        if running:
            self.environment.simulation.thaw()
        else:
            self.environment.simulation.freeze()
        return JSONResponse({"living": running})

    async def _read_expected_state(self, request: Request) -> Response:
        service, kind = request.path_params["service"], request.path_params["kind"]
        try:
            objects = list(self.fakes[service].expected_state(kind))
        except KeyError:
            raise HTTPException(404, f"There is no truth about {service}/{kind}.") from None
        return JSONResponse({"options": _json_options(asdict(self.environment.options)), kind: objects})


def _json_options(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, int | float | bool) else str(value) for name, value in options.items()}


async def _read_object(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise HTTPException(422, "The body must be a JSON object.")
    return body


class _AddSandboxHeader:
    """ASGI middleware: a header by which a client recognises the sandbox."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (SANDBOX_HEADER.encode(), SANDBOX_HEADER_VALUE.encode()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_header)
