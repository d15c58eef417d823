"""Builds the telemetry of one process: metrics, job runs, traces, alerts, logs, and the instrumentation of libraries."""

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry.metrics import Meter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy.engine import Engine

from telemetry import providers, semconv
from telemetry.alerts import service
from telemetry.alerts.channels import telegram
from telemetry.alerts.pipeline import AlertPipeline, PipelineContext
from telemetry.database import create_engine, database_identity
from telemetry.health.system_resources import SystemResources
from telemetry.instrumentation import cost_metrics, pool_metrics, process, self_metrics
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.fastapi import FastAPIInstrumentor
from telemetry.instrumentation.fastapi.server_responses import record_server_answer
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries
from telemetry.jobs import monitor
from telemetry.jobs.monitor_arguments import is_strict
from telemetry.jobs.pipeline import JobPipeline
from telemetry.jobs.run_profile import RunProfiler
from telemetry.logs.background.self_metrics import observe_writers
from telemetry.logs.otel_handler import OTelHandler
from telemetry.logs.setup import attach, detach, end_logging, log_writers
from telemetry.metrics.measuring.cardinality import CARDINALITY_LIMIT
from telemetry.metrics.pipeline import MetricsPipeline
from telemetry.options import TelemetryOptions
from telemetry.processes.registry import ProcessRegistry
from telemetry.recent.pipeline import RecentContext, RecentPipeline
from telemetry.sdk import export_backlog, otlp_values
from telemetry.sdk.env_defaults import sdk_variables
from telemetry.sdk.forked_identity import ForkedIdentity
from telemetry.sdk.shutdown import ShutdownThreads, Step, attempt
from telemetry.settings import TelemetrySettings

SHUTDOWN_TIMEOUT: Final = 5.0
NO_OPTIONS: Final = TelemetryOptions()


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The telemetry of one process: a pipeline for each kind of signal, and what takes all of them down again."""

    settings: TelemetrySettings
    options: TelemetryOptions
    engine: Engine
    resources: SystemResources
    metrics: MetricsPipeline
    jobs: JobPipeline
    alerts: AlertPipeline
    tracer_provider: TracerProvider
    log_handler: OTelHandler
    recent: RecentPipeline
    _registry: ProcessRegistry
    _owns_engine: bool
    _shutdown_threads: ShutdownThreads = field(default_factory=ShutdownThreads)
    _identity: ForkedIdentity = field(init=False)

    def __post_init__(self) -> None:
        of_all_signals = (self.tracer_provider, self.metrics.sdk_provider, self.log_handler.provider)
        object.__setattr__(self, "_identity", providers.forked_identity(self._registry, *of_all_signals))

    @property
    def uses_database(self) -> bool:
        """Whether there is a database to look at: one that was given, or the one that job runs are recorded in."""
        return self.jobs.is_on or not self._owns_engine

    @property
    def given_engine(self) -> Engine | None:
        """The engine that the application has given; None if the telemetry has made its own."""
        return None if self._owns_engine else self.engine

    def meter(self, name: str) -> Meter:
        return self.metrics.provider.get_meter(name, schema_url=semconv.SCHEMA_URL)

    def instrument_app(self, app: FastAPI, untraced_paths: Iterable[str] | None = None) -> None:
        """Count and trace the requests of an application, from its first one on. More than once is harmless.

        Args:
            app: an application that serves no requests yet.
            untraced_paths: counted without a span; by default those of the options.
        """
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self.tracer_provider,
            meter_provider=self.metrics.provider,
            untraced_paths=self.options.untraced_paths if untraced_paths is None else untraced_paths,
        )

    def record_server_answer(self, status: int, scope: MutableMapping[str, Any], app: object) -> None:
        """Count a request that the server has answered itself: `scope` says what is known of it, `app` has the routes."""
        record_server_answer(self.metrics.provider, status, scope, app)

    def start(self) -> None:
        """Start the threads that recover job runs, send alerts, and write what is remembered."""
        self.jobs.start()
        self.alerts.start()
        self.recent.start()

    def serve(self) -> None:
        """Join the other workers of the service: this process is about to serve requests. More than once is harmless.

        A worker that was forked after `start` has the threads of that only from now on.
        """
        self.metrics.membership.serve()
        self.start()

    def report_job_failures(self, timeout: float = 1.0) -> None:
        """For a process that ends with a failed run: alert if that was a failure too many in a row. No other may look.

        Nothing is looked at if the run is not in the database within `timeout` seconds.
        """
        if self.jobs.is_on and self.jobs.recorder.flush(timeout):
            self.alerts.evaluate_job_failures()

    def shutdown(self, deadline: float = SHUTDOWN_TIMEOUT) -> list[str]:
        """Switch the instrumentation off, and flush all signals at once, within so many seconds.

        Returns:
            The names of what was not flushed in time.
        """
        for name, step in _steps_before_flush(self).items():
            attempt(name, step)
        late = self._shutdown_threads.run(
            {
                "job runs": lambda: self.jobs.shutdown(deadline),
                "alerts": lambda: self.alerts.shutdown(deadline),
                "what is remembered": lambda: self.recent.shutdown(deadline),
                "traces": self.tracer_provider.shutdown,
                "metrics": lambda: self.metrics.shutdown(deadline),
                "logs": self.log_handler.provider.shutdown,
            },
            deadline,
        )
        attempt("closing the outbox again", self.alerts.outbox.close)  # the last metrics have looked into it
        if self._owns_engine:
            attempt("closing the database", self.engine.dispose)
        if not late:  # else its threads still use what belongs to this process
            attempt("leaving the registry of processes", self._registry.release)
        return late


@sdk_variables()
def build(
    settings: TelemetrySettings,
    engine: Engine | None = None,
    options: TelemetryOptions = NO_OPTIONS,
    cardinality_limit: int = CARDINALITY_LIMIT,
) -> Telemetry:
    """Build all pipelines, and switch the instrumentation on. `telemetry.start` does this once for a process.

    Without an engine it creates one for the database of the settings, and disposes of that at the shutdown.

    Raises:
        SettingsError: a variable of OpenTelemetry is wrong.
    """
    providers.prepare_process()
    owns_engine, engine = engine is None, engine or create_engine(settings.url, settings.service_name)
    registry, profiler = ProcessRegistry(settings.data_dir, database_identity(engine.url)), RunProfiler()
    uses_database, resource = settings.telemetry_jobs or not owns_engine, providers.service_resource(settings, registry)
    metrics = MetricsPipeline(settings, resource, registry, options.metric_mappings, cardinality_limit)
    jobs = JobPipeline(engine, registry, metrics.instruments, settings.jobs_component, settings.telemetry_jobs)
    processing = providers.JobProcessing(jobs.record, metrics.instruments, profiler)
    tracer_provider = providers.tracer_provider(resource, settings, metrics.provider, processing)
    tracer, resources = providers.own_tracer(tracer_provider), SystemResources.from_settings(settings)
    context = PipelineContext(tracer, metrics.meter, metrics.instruments.dropped, profiler.has, uses_database)
    alerts = AlertPipeline(settings, engine, resources, registry, context)
    telemetry = Telemetry(
        settings=settings,
        options=options,
        engine=engine,
        resources=resources,
        metrics=metrics,
        jobs=jobs,
        alerts=alerts,
        tracer_provider=tracer_provider,
        log_handler=_log_handler(resource, metrics, alerts, profiler),
        recent=RecentPipeline(settings, RecentContext(metrics, tracer_provider, registry)),
        _registry=registry,
        _owns_engine=owns_engine,
    )
    return _activated(telemetry)


def _activated(telemetry: Telemetry) -> Telemetry:
    _observe(telemetry)
    _instrument(telemetry)
    telemetry.metrics.start()  # after all instruments are registered, and when what it logs can become an alert
    return telemetry


def _log_handler(
    resource: Resource, metrics: MetricsPipeline, alerts: AlertPipeline, profiler: RunProfiler
) -> OTelHandler:
    exporter = alerts.exporter if alerts.is_on else None
    alerting = providers.AlertProcessing(exporter, profiler.has, alerts.exporter.is_known)
    return providers.log_handler(resource, metrics.provider, metrics.instruments, alerting)


def _observe(telemetry: Telemetry) -> None:
    """Register what is measured when a page is made."""
    meter, settings = telemetry.metrics.meter, telemetry.settings
    process.observe_process(meter)
    process.observe_application(meter, process.Application(settings.service_version, settings.environment))
    process.observe_resources(meter, telemetry.resources)
    cost_metrics.observe_costs(meter, settings.prices)
    pool_metrics.observe_connections(meter)
    if telemetry.jobs.is_on:
        telemetry.jobs.observe(meter)
    self_metrics.observe_queues(meter, telemetry.jobs.queues, telemetry.recent.queues, export_backlog.queues)
    observe_writers(meter, log_writers)
    self_metrics.observe_limits(meter, telemetry.metrics.provider)
    self_metrics.observe_replaced_values(meter, otlp_values.replaced)
    self_metrics.observe_page(meter, telemetry.metrics.membership)


def _instrument(telemetry: Telemetry) -> None:
    """Route the spans of libraries, the runs of `monitor_job`, alerts, and log records into the pipelines."""
    services = (*telemetry.options.external_services, telegram.service(telemetry.settings.telegram_api_url))
    instrument_libraries(
        Providers(telemetry.tracer_provider, telemetry.metrics.provider),
        telemetry.metrics.instruments,
        ServiceDirectory(services),
        trace_connects=telemetry.options.trace_connects,
    )
    recorder = telemetry.jobs.recorder if telemetry.jobs.is_on else None
    tracer, settings = providers.own_tracer(telemetry.tracer_provider), telemetry.settings
    monitor.activate(monitor.JobMonitoring(tracer, recorder, is_strict(settings.environment), settings.prices))
    if telemetry.alerts.is_on:
        service.activate(telemetry.alerts.service)
    attach(telemetry.log_handler)


def _steps_before_flush(telemetry: Telemetry) -> dict[str, Step]:
    """What ends before the signals are flushed, the logs last: they get the warnings of the other steps."""
    return {
        "alerts by the application": service.deactivate,
        "monitoring of jobs": monitor.deactivate,
        "instrumentation of libraries": uninstrument_libraries,
        "figures of the console": telemetry.recent.stop_sampling,
        "metrics of the workers": telemetry.metrics.stop,
        "log records for the pipelines": lambda: detach(telemetry.log_handler),
        "log files": end_logging,
    }
