"""GET /metrics."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.operations.dependencies import TelemetryDep

router = APIRouter(tags=["operations"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def read_metrics(telemetry: TelemetryDep, accept: Annotated[str, Header()] = "") -> Response:
    """The whole service for Prometheus: its text format, or OpenMetrics by `Accept`.

    A plain function, so that a scrape and the callbacks of observable instruments run in a worker thread.
    """
    page, media_type = telemetry.page.render(accept)
    return Response(page, headers={"content-type": media_type, "cache-control": "no-store"})
