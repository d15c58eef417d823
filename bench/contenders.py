"""The contenders: the same application with this project's telemetry, with the service's own middleware, and with the usual packages.

A contender that traces has a batch processor whose exporter discards the spans; one that measures has a Prometheus reader.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from service.api.middleware import wrap_app
from telemetry import console, setup
from telemetry.settings import TelemetrySettings

BARE = "bare FastAPI"
PATH = "/items/42"


class DiscardingExporter(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  # the SDK's signature
        return SpanExportResult.SUCCESS


def application(**options: Any) -> FastAPI:
    app = FastAPI(**options)

    @app.get("/items/{item_id}")
    async def read_item(item_id: int) -> dict[str, int | str]:
        return {"id": item_id, "name": "item"}

    return app


def settings(directory: Path, **more: Any) -> TelemetrySettings:
    """Settings that keep all files in the directory and send nothing."""
    return TelemetrySettings(
        **{
            "database_url": f"sqlite:///{directory / 'bench.db'}",
            "data_dir": directory,
            "log_dir": directory,
            "environment": "bench",
            "log_level": "WARNING",
            "metrics_names": "service",
            **more,
        }
    )


def tracer_provider(share: float = 1.0) -> TracerProvider:
    provider = TracerProvider(sampler=ParentBasedTraceIdRatio(share), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(DiscardingExporter()))
    return provider


def meter_provider() -> MeterProvider:
    return MeterProvider([PrometheusMetricReader(registry=CollectorRegistry())], shutdown_on_exit=False)


def _bare(_directory: Path) -> FastAPI:
    return application()


def _ours(share: float, *, has_console: bool = False) -> Callable[[Path], FastAPI]:
    def build(directory: Path) -> FastAPI:
        app = application()
        started = setup.start(app=app, settings=settings(directory, otel_traces_sampler_arg=share))
        if has_console:
            console.mount(app)
        started.tracer_provider.add_span_processor(BatchSpanProcessor(DiscardingExporter()))
        return app

    return build


def _edge(_directory: Path) -> FastAPI:
    app = application()
    wrap_app(app)
    return app


def _prometheus_fastapi_instrumentator(_directory: Path) -> FastAPI:
    app = application()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


def _contrib(share: float, **options: Any) -> Callable[[Path], FastAPI]:
    def build(_directory: Path) -> FastAPI:
        app = application()
        FastAPIInstrumentor.instrument_app(
            app, tracer_provider=tracer_provider(share), meter_provider=meter_provider(), **options
        )
        return app

    return build


def _native(share: float, **options: Any) -> Callable[[Path], FastAPI]:
    def build(_directory: Path) -> FastAPI:
        return application(
            telemetry={"tracer_provider": tracer_provider(share), "meter_provider": meter_provider(), **options}
        )

    return build


CONTENDERS: dict[str, Callable[[Path], FastAPI]] = {
    BARE: _bare,
    "this project: metrics, traces at 10 %, jobs": _ours(0.1),
    "the same, and what the console remembers": _ours(0.1, has_console=True),
    "this project, every request traced": _ours(1.0),
    "every request traced, and what the console remembers": _ours(1.0, has_console=True),
    "this service's edge alone: request ids, limits, headers": _edge,
    "prometheus-fastapi-instrumentator (metrics only)": _prometheus_fastapi_instrumentator,
    "FastAPI's own telemetry, lean, traces at 10 %": _native(0.1, operation_spans=False, logs=False),
    "FastAPI's own telemetry, its defaults": _native(1.0),
    "opentelemetry-instrumentation-fastapi, tuned, 1 %": _contrib(0.01, exclude_spans=["send", "receive"]),
    "opentelemetry-instrumentation-fastapi, its defaults": _contrib(1.0),
}


def build(name: str, directory: Path) -> FastAPI:
    own = directory / str(list(CONTENDERS).index(name))
    own.mkdir(exist_ok=True)
    return CONTENDERS[name](own)
