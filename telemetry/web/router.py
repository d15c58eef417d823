"""`telemetry.router()`: metrics, probes, job runs and alerts for any FastAPI application, in one line."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from telemetry.health.report import Report
from telemetry.health.runner import Check
from telemetry.web import alert_routes, job_routes
from telemetry.web.access import Running, require_token
from telemetry.web.probes import Probes

_NO_STORE: Final = {"cache-control": "no-store"}


def router(*, checks: Mapping[str, Check] | None = None) -> APIRouter:
    """The routes `/metrics`, `/healthz`, `/livez`, `/readyz`, `/jobs`, `/jobs/status`, `/jobs/stats/{job_name}` and `/alerts`.

    With `OPS_TOKEN` set, all but the probes want it as the bearer token. Before `telemetry.start()` they answer 503.

    Args:
        checks: more checks of the application, by name: each is a callable that raises when it fails.
    """
    made = APIRouter(tags=["operations"])
    made.include_router(_probes(Probes(checks or {})))
    for routes in (_metrics(), job_routes.router, alert_routes.router):
        made.include_router(routes, dependencies=[Depends(require_token)])
    return made


def _metrics() -> APIRouter:
    made = APIRouter()

    @made.head("/metrics", include_in_schema=False)
    @made.get("/metrics", response_class=Response)
    async def read_metrics(request: Request, telemetry: Running) -> Response:
        """All workers on one page: Prometheus' text format, or OpenMetrics by `Accept`; compressed by `Accept-Encoding`."""
        accept, accept_encoding = (", ".join(request.headers.getlist(name)) for name in ("accept", "accept-encoding"))
        body, headers = await telemetry.metrics.page.respond_in_thread(accept, accept_encoding)
        return Response(body, headers=headers)

    return made


def _probes(probes: Probes) -> APIRouter:
    made = APIRouter()

    @made.get("/livez", response_class=PlainTextResponse)
    async def read_livez() -> PlainTextResponse:
        """The process answers. It depends on nothing outside."""
        return PlainTextResponse("ok", headers=_NO_STORE)

    @made.get("/readyz", response_class=PlainTextResponse)
    async def read_readyz(request: Request, telemetry: Running) -> PlainTextResponse:
        """Whether this instance is to be given work; with `?verbose` a line for each check."""
        report = await probes.readiness(telemetry)
        if report.is_healthy and "verbose" not in request.query_params:
            return PlainTextResponse("ok", headers=_NO_STORE)
        return PlainTextResponse("\n".join((*report.lines(), "")), _status(report), _NO_STORE)

    @made.get("/healthz")
    async def read_healthz(telemetry: Running) -> JSONResponse:
        """The database, disk, memory, uptime, and the application's own checks; 503 when one fails."""
        report = await probes.health(telemetry)
        return JSONResponse(probes.body(report), _status(report), _NO_STORE)

    return made


def _status(report: Report) -> int:
    return 200 if report.is_healthy else 503
