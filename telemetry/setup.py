"""Set-up: the one place that builds the providers, wires the instrumentation, and takes both down again."""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace
from opentelemetry.metrics import Meter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry import providers
from telemetry.alerts import service
from telemetry.alerts.channels import telegram
from telemetry.alerts.pipeline import AlertPipeline, PipelineContext
from telemetry.database import create_engine
from telemetry.health.system_resources import SystemResources
from telemetry.instrumentation import process, self_metrics
from telemetry.instrumentation.external_services import ExternalService, ServiceDirectory
from telemetry.instrumentation.fastapi.instrumentor import instrument_app
from telemetry.instrumentation.fastapi.server_request import ServerInstruments
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries
from telemetry.instruments import Instruments
from telemetry.jobs import monitor
from telemetry.jobs.pipeline import JobPipeline
from telemetry.jobs.recorder.self_metrics import QUEUE_NAME
from telemetry.jobs.run_profile import RunProfiler
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.logs.background.self_metrics import observe_writers
from telemetry.logs.otel_handler import OTelHandler
from telemetry.logs.setup import attach, detach, end_logging, log_writers, setup_logging
from telemetry.metrics.cardinality import CARDINALITY_LIMIT, LimitedMeterProvider
from telemetry.metrics.families import Translator
from telemetry.metrics.multiprocess import collector as workers
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.reader import MetricsPage
from telemetry.metrics.views import views
from telemetry.metrics.vocabulary import VOCABULARY
from telemetry.options import TelemetryOptions
from telemetry.redaction.exporters import redacted_resource
from telemetry.sdk import exporters, resource
from telemetry.sdk import instance as instance_lock
from telemetry.sdk.reentrant_locks import make_locks_reentrant
from telemetry.sdk.shutdown import run_concurrently
from telemetry.settings import TelemetrySettings

SHUTDOWN_TIMEOUT: Final = 5.0
_SCOPE: Final = "telemetry"
_NOTHING_SPECIFIC: Final = TelemetryOptions()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What runs. `meter_provider` limits label sets: hand it, not the SDK's, to whatever makes instruments."""

    settings: TelemetrySettings
    tracer_provider: TracerProvider
    meter_provider: LimitedMeterProvider
    logger_provider: LoggerProvider
    instruments: Instruments
    server: ServerInstruments
    page: MetricsPage
    store: JobRunRepository
    records: JobPipeline
    alerts: AlertPipeline
    resources: SystemResources
    engine: Engine
    log_handler: OTelHandler
    workers: MultiprocessCollector | None
    _sdk_meter_provider: MeterProvider
    _instance: instance_lock.InstanceSlot
    before_shutdown: list[Callable[[], None]] = field(default_factory=list)

    def meter(self, name: str) -> Meter:
        return self.meter_provider.get_meter(name)

    def shutdown(self, deadline: float = SHUTDOWN_TIMEOUT) -> list[str]:
        """Flush all of it at once. Returns the names of what was not done in time."""
        for step in self.before_shutdown:
            step()
        if self.workers is not None:
            self.workers.stop()
        late = run_concurrently(
            {
                "job runs": lambda: self.records.shutdown(deadline),
                "alerts": lambda: self.alerts.shutdown(deadline),
                "traces": self.tracer_provider.shutdown,
                "metrics": lambda: self._sdk_meter_provider.shutdown(timeout_millis=deadline * 1000),
                "logs": self.logger_provider.shutdown,
            },
            deadline,
        )
        self._instance.release()
        return late


def build(
    settings: TelemetrySettings,
    engine: Engine,
    specifics: TelemetryOptions = _NOTHING_SPECIFIC,
    limit: int = CARDINALITY_LIMIT,
) -> Telemetry:
    """Build the providers and switch every instrumentation on. `start` is this, once for a process."""
    exporters.check_configuration()
    make_locks_reentrant()
    instance = instance_lock.InstanceSlot(settings.data_dir)
    about = redacted_resource(
        resource.build_resource(settings.service_name, settings.service_version, settings.environment, instance.id)
    )
    page = MetricsPage(settings.metrics_names, Translator((*VOCABULARY, *specifics.metric_mappings)))
    sdk_meters = MeterProvider([page, *exporters.metric_readers()], about, shutdown_on_exit=False, views=views())
    meters = LimitedMeterProvider(sdk_meters, limit)
    meter = meters.get_meter(_SCOPE)
    instruments = Instruments.create(meter)
    records = JobPipeline(engine, settings.data_dir, instruments)
    insides, resources = RunProfiler(), SystemResources.from_settings(settings)
    tracers = providers.tracer_provider(
        about, settings, meters, providers.JobProcessing(records.record, instruments, insides)
    )
    around = PipelineContext(tracers.get_tracer(_SCOPE), meter, instruments.dropped, insides.has)
    alerts = AlertPipeline(settings, engine, resources, around)
    alerting = providers.AlertProcessing(alerts.exporter, insides.has, alerts.exporter.is_known)
    handler = providers.log_handler(about, meters, instruments, alerting)
    built = Telemetry(
        settings=settings,
        tracer_provider=tracers,
        meter_provider=meters,
        logger_provider=handler.provider,
        instruments=instruments,
        server=ServerInstruments.create(tracers.get_tracer(_SCOPE), meter, instruments.http_server_duration),
        page=page,
        store=JobRunRepository(engine),
        records=records,
        alerts=alerts,
        resources=resources,
        engine=engine,
        log_handler=handler,
        workers=workers.create_collector(settings.data_dir, page.collect_own, meters.change_flag.test_and_clear),
        _sdk_meter_provider=sdk_meters,
        _instance=instance,
    )
    _observe(built)
    _instrument(built, engine, (*specifics.services, telegram.service(settings.telegram_api_url)))
    return built


def _observe(built: Telemetry) -> None:
    meter, settings = built.meter(_SCOPE), built.settings
    process.observe_process(meter)
    process.observe_application(meter, process.Application(settings.service_version, settings.environment))
    process.observe_resources(meter, built.resources)
    self_metrics.observe_queue(meter, QUEUE_NAME, built.records.recorder)
    built.records.observe(meter)
    observe_writers(meter, log_writers)
    self_metrics.observe_limits(meter, built.meter_provider)
    if built.workers is not None:  # the page of one is that of all
        built.page.collect_families = built.workers.collect
        built.workers.start()


def _instrument(built: Telemetry, engine: Engine, services: Iterable[ExternalService]) -> None:
    instrument_libraries(
        Providers(built.tracer_provider, built.meter_provider), built.instruments, ServiceDirectory(services), engine
    )
    monitor.activate(monitor.JobMonitoring(built.tracer_provider.get_tracer(_SCOPE), built.records.recorder))
    service.activate(built.alerts.service)
    attach(built.log_handler)
    built.before_shutdown.extend(
        (
            lambda: detach(built.log_handler),
            service.deactivate,
            monitor.deactivate,
            uninstrument_libraries,
            end_logging,
        )
    )


_active: Telemetry | None = None
_lock = threading.RLock()


def start(
    *,
    app: FastAPI | None = None,
    engine: Engine | None = None,
    settings: TelemetrySettings | None = None,
    specifics: TelemetryOptions = _NOTHING_SPECIFIC,
) -> Telemetry:
    """Start the telemetry of this process, once; with an application, instrument that as well.

    Args:
        app: counted and traced from its first request; its lifespan ends with `shutdown`.
        engine: the database that holds `job_runs`; by default the one of `DATABASE_URL`.
        settings: by default those of the environment.
        specifics: what the telemetry cannot know by itself.

    Raises:
        SettingsError: a variable has a value that it may not have.
    """
    global _active  # noqa: PLW0603  # one telemetry for a process, as OpenTelemetry's own providers
    with _lock:
        if _active is None:
            settings = settings or TelemetrySettings.read()
            setup_logging(settings)
            _active = build(settings, engine or create_engine(settings.url, settings.service_name), specifics)
            _set_globals(_active)
            _active.records.reaper.start()
            _active.alerts.start()
            if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
                _log.warning("OTEL_SDK_DISABLED is true: nothing is measured, traced or recorded.")
            atexit.register(shutdown)
        if app is not None:
            instrument_app(app, _active.server, specifics.untraced)
            _end_with(app)
        return _active


def _end_with(app: FastAPI) -> None:
    """Shut down at the end of the application's lifespan: `atexit` is too late for a server that re-raises SIGTERM."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(application: Any) -> AsyncGenerator[Any]:
        try:
            async with inner(application) as state:
                yield state
        finally:
            await asyncio.to_thread(shutdown)

    app.router.lifespan_context = lifespan


def current() -> Telemetry | None:
    return _active


def shutdown(deadline: float = SHUTDOWN_TIMEOUT) -> None:
    """Flush everything within the deadline, in seconds, and switch the instrumentation off. More than once is harmless."""
    global _active
    with _lock:
        ending, _active = _active, None
    if ending is not None:
        atexit.unregister(shutdown)
        ending.shutdown(deadline)


def _set_globals(built: Telemetry) -> None:
    """For libraries that ask OpenTelemetry for its global providers. The API takes them once for a process."""
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        trace.set_tracer_provider(built.tracer_provider)
        metrics.set_meter_provider(built.meter_provider)
        _logs.set_logger_provider(built.logger_provider)
