"""GET /metrics: the metrics of the service in Prometheus' formats."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.api.dependencies import TelemetryDep

router = APIRouter(tags=["operations"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def read_metrics(telemetry: TelemetryDep, accept: Annotated[str, Header()] = "") -> Response:
    """The whole service for Prometheus: its text format, or OpenMetrics by `Accept`.

    Made in a thread of its own: neither on the event loop, nor behind requests that hold every worker thread.
    """
    page, media_type = await telemetry.metrics.page.render_in_thread(accept)
    return Response(page, headers={"content-type": media_type, "cache-control": "no-store"})
