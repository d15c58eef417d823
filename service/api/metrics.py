"""GET /metrics: the metrics of the service in Prometheus' formats."""

from fastapi import APIRouter, Request, Response

from service.api.dependencies import TelemetryDep

router = APIRouter(tags=["operations"])


@router.head("/metrics", include_in_schema=False)
@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def read_metrics(request: Request, telemetry: TelemetryDep) -> Response:
    """The whole service for Prometheus: its text format, or OpenMetrics by `Accept`; compressed by `Accept-Encoding`.

    Made in a thread of its own: neither on the event loop, nor behind requests that hold every worker thread.
    """
    accept, accept_encoding = (", ".join(request.headers.getlist(name)) for name in ("accept", "accept-encoding"))
    body, headers = await telemetry.metrics.page.respond_in_thread(accept, accept_encoding)
    return Response(body, headers=headers)
