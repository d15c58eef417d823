"""Mounts the console, and sends browsers to it from `/`."""

from functools import partial
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from service.api.health import ServiceHealth
from service.bootstrap import Service
from service.console.console_jobs import ConsoleJobs
from service.console.console_notices import notices
from service.console.costs_page import CostsPage
from service.console.reviews_page import ReviewsPage
from telemetry import console

PATH: Final = "/console"
_router = APIRouter(include_in_schema=False)


def mount_console(app: FastAPI, service: Service, health: ServiceHealth) -> None:
    """Add the console to the application; nothing with `TELEMETRY_CONSOLE=false`."""
    settings = service.settings
    options = console.ConsoleOptions(
        title=settings.service_name,
        jobs=ConsoleJobs(service.job_commands, service.clock),
        notices=partial(notices, settings),
        checks=health.checks,
        check_names=health.health,
        pages=[*ReviewsPage(service, settings).pages(), *CostsPage(service, settings).pages()],
    )
    console.mount(app, PATH, options)
    if settings.telemetry_console:
        app.include_router(_router)


@_router.get("/")
async def read_root(request: Request) -> Response:
    """A browser is shown the console. Another client gets the 404 that it would get without this route."""
    if "text/html" not in request.headers.get("accept", ""):
        raise HTTPException(404)
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return RedirectResponse(root + PATH, 307, {"cache-control": "no-store", "vary": "accept"})
