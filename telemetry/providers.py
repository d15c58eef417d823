"""Providers: OpenTelemetry's, each with the processors that make this service's signals of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanContext

from telemetry.instruments import Instruments
from telemetry.jobs.processor import JobSpanProcessor
from telemetry.jobs.run import JobRun
from telemetry.jobs.run_metrics import RunMetrics
from telemetry.jobs.run_profile import RunProfiler
from telemetry.logs.error_counter import ErrorCounter
from telemetry.logs.otel_handler import OTelHandler
from telemetry.sdk import exporters
from telemetry.sdk.env_defaults import default_variables
from telemetry.sdk.sampler import JobSampler
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class JobProcessing:
    """Where the runs of jobs go: each start and each end to `record`, and into the metrics; what happens inside of them."""

    record: Callable[[JobRun], None]
    instruments: Instruments
    insides: RunProfiler


@dataclass(frozen=True, slots=True)
class AlertProcessing:
    """Where alerts go; whether a span is in a job; whether an alert of this fingerprint at this time would be a repeat."""

    exporter: LogRecordExporter
    in_job: Callable[[SpanContext], bool]
    is_known: Callable[[str, float], bool]


def tracer_provider(
    about: Resource, settings: TelemetrySettings, meters: MeterProvider, jobs: JobProcessing
) -> TracerProvider:
    """Spans of jobs are turned into runs, and all that are sampled go to where the environment says."""
    # The SDK makes the sampler that these two name; what they are by default is this service's own choice.
    with default_variables(
        OTEL_TRACES_SAMPLER=settings.otel_traces_sampler, OTEL_TRACES_SAMPLER_ARG=str(settings.otel_traces_sampler_arg)
    ):
        provider = TracerProvider(resource=about, shutdown_on_exit=False, meter_provider=meters)
    provider.sampler = JobSampler(provider.sampler, jobs.insides.has)
    provider.add_span_processor(JobSpanProcessor(jobs.record, RunMetrics(jobs.instruments), jobs.insides))
    for processor in exporters.span_processors(meters):
        provider.add_span_processor(processor)
    return provider


def log_handler(
    about: Resource, meters: MeterProvider, instruments: Instruments, alerts: AlertProcessing
) -> OTelHandler:
    """Errors are always counted, and alerted; everything else is translated only when somebody receives it."""
    provider = LoggerProvider(about, shutdown_on_exit=False, meter_provider=meters)
    provider.add_log_record_processor(ErrorCounter(instruments.errors))
    provider.add_log_record_processor(SimpleLogRecordProcessor(alerts.exporter, meter_provider=NoOpMeterProvider()))
    exported = exporters.log_processors(meters)
    for processor in exported:
        provider.add_log_record_processor(processor)
    level = logging.NOTSET if exported else logging.ERROR
    return OTelHandler(level, provider, alerts.in_job, alerts.is_known)
