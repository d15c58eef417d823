"""GET /metrics: the metrics of the service in Prometheus' formats."""

from typing import Final

from fastapi import APIRouter, Request, Response

from service.api.dependencies import TelemetryDep
from service.api.schemas.problem_schemas import Responses

_EXAMPLE: Final = """# HELP http_requests_total HTTP requests answered.
# TYPE http_requests_total counter
http_requests_total{method="GET",endpoint="/api/v1/reviews",status="200"} 42.0
"""
_PAGE: Final[Responses] = {
    200: {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}}}
}
router = APIRouter(tags=["monitoring"])


@router.head("/metrics", include_in_schema=False)
@router.get("/metrics", response_class=Response, responses=_PAGE)
async def read_metrics(request: Request, telemetry: TelemetryDep) -> Response:
    """Show all metrics for Prometheus.

    In its text format, or in OpenMetrics if `Accept` asks for it; compressed if `Accept-Encoding` allows it. The metrics of all
    workers are on the page.
    """
    # In a thread of its own: neither on the event loop, nor behind requests that hold every worker thread.
    accept, accept_encoding = (", ".join(request.headers.getlist(name)) for name in ("accept", "accept-encoding"))
    body, headers = await telemetry.metrics.page.respond_in_thread(accept, accept_encoding)
    return Response(body, headers=headers)
