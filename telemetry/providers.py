"""Creates the resource, the tracer provider and the log handler, with their processors and exporters."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext, Tracer

from telemetry import semconv
from telemetry.compatibility import internals
from telemetry.compatibility.unstable_api import LoggerProvider, LogRecordExporter, SimpleLogRecordProcessor
from telemetry.instruments import Instruments
from telemetry.jobs.processor import JobSpanProcessor
from telemetry.jobs.run import JobRun
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfiler
from telemetry.logs.error_counter import ErrorCounter
from telemetry.logs.otel_handler import OTelHandler
from telemetry.metrics.pipeline import SCOPE
from telemetry.processes.registry import ProcessRegistry
from telemetry.redaction.exporters import redacted_resource
from telemetry.sdk import exporters
from telemetry.sdk.env_defaults import default_variables
from telemetry.sdk.feedback_guard import FeedbackGuard
from telemetry.sdk.forked_identity import ForkedIdentity
from telemetry.sdk.guarded_tracers import GuardedTracerProvider
from telemetry.sdk.reentrant_locks import make_locks_reentrant
from telemetry.sdk.resource import build_resource, own_instance_id, warn_if_pinned
from telemetry.sdk.sampler import JobSampler
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class JobProcessing:
    """Where job runs go: `record` takes each start and end, `instruments` count them, `profiler` profiles their spans."""

    record: Callable[[JobRun], None]
    instruments: Instruments
    profiler: RunProfiler


@dataclass(frozen=True, slots=True)
class AlertProcessing:
    """Where alerts go, if they are on; whether a span is in a job; whether an alert of this fingerprint and level would be a repeat now."""

    exporter: LogRecordExporter | None
    in_job: Callable[[SpanContext], bool]
    is_known: Callable[[str, int, float], bool]


def service_resource(settings: TelemetrySettings, registry: ProcessRegistry) -> Resource:
    """Create the resource of all signals, without secrets. The first process of a service says whether its id is pinned."""
    resource = redacted_resource(
        build_resource(settings.service_name, settings.service_version, settings.environment, registry.instance_id())
    )
    if registry.slot <= 0:
        warn_if_pinned(resource)
    return resource


def forked_identity(registry: ProcessRegistry, *of: object) -> ForkedIdentity:
    """Give forked children a `service.instance.id` of their own in all of these providers of the SDK."""
    return ForkedIdentity(of, lambda: own_instance_id(registry.instance_id()))


def prepare_process() -> None:
    """Check what the environment says, before anything is built, and make the SDK's locks reentrant.

    Raises:
        SettingsError: a variable of OpenTelemetry is wrong.
    """
    exporters.check_configuration()
    make_locks_reentrant()
    internals.report_missing()


def tracer_provider(
    resource: Resource, settings: TelemetrySettings, meters: MeterProvider, jobs: JobProcessing
) -> TracerProvider:
    """Create the tracer provider: it records job runs, and exports sampled spans as the `OTEL_*` variables say."""
    # The SDK creates the sampler that these two variables name; the settings have other defaults than the SDK.
    with default_variables(
        OTEL_TRACES_SAMPLER=settings.otel_traces_sampler, OTEL_TRACES_SAMPLER_ARG=str(settings.otel_traces_sampler_arg)
    ):
        provider = GuardedTracerProvider(resource, meters)
    provider.sampler = JobSampler(provider.sampler, jobs.profiler.has)
    provider.add_span_processor(JobSpanProcessor(jobs.record, RunMetrics(jobs.instruments), jobs.profiler))
    for processor in exporters.span_processors(meters, jobs.instruments.dropped):
        provider.add_span_processor(processor)
    return provider


def own_tracer(provider: TracerProvider) -> Tracer:
    """The tracer of the telemetry's own spans, such as those of jobs."""
    return provider.get_tracer(SCOPE, schema_url=semconv.SCHEMA_URL)


def log_handler(
    resource: Resource, meters: MeterProvider, instruments: Instruments, alerts: AlertProcessing
) -> OTelHandler:
    """Create the log handler: it counts and alerts errors. Other records are converted only if an exporter takes them."""
    provider = LoggerProvider(resource, shutdown_on_exit=False, meter_provider=meters)
    provider.add_log_record_processor(ErrorCounter(instruments.errors))
    if alerts.exporter is not None:
        alerting = SimpleLogRecordProcessor(alerts.exporter, meter_provider=NoOpMeterProvider())
        provider.add_log_record_processor(alerting)
    exported = exporters.log_processors(meters, instruments.dropped)
    for processor in exported:
        provider.add_log_record_processor(FeedbackGuard(processor))
    level = logging.NOTSET if exported else logging.ERROR
    return OTelHandler(level, provider, alerts.in_job, alerts.is_known)
