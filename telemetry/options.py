"""What an application tells the telemetry about itself."""

from dataclasses import dataclass

from telemetry.instrumentation.external_services import ExternalService
from telemetry.metrics.mapping import MetricMapping


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """What the telemetry cannot know of the application that it observes.

    Attributes:
        external_services: the services that it calls, so that calls are told apart by service and endpoint.
        metric_mappings: what its own instruments are called on `/metrics`.
        untraced_paths: paths that are counted and get no span, such as probes; `/static/*` stands for all that begin so.
        trace_connects: makes a span `connect` each time that a connection is taken from a database's pool.
    """

    external_services: tuple[ExternalService, ...] = ()
    metric_mappings: tuple[MetricMapping, ...] = ()
    untraced_paths: tuple[str, ...] = ()
    trace_connects: bool = False
