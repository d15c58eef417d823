"""The table of what is kept for plots: which metrics, with which of their labels, and the sums that most plots need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from telemetry.metrics.mapping import MetricMapping

REQUESTS: Final = "http_request_duration_seconds"
JOBS: Final = "scheduler_jobs_total"
CALLS: Final = "external_api_requests_total"
CALL_DURATIONS: Final = "external_api_duration_seconds"
TOKENS: Final = "gen_ai_client_token_usage"
DROPPED: Final = "telemetry_dropped_total"
COLLECTED: Final = "telemetry_collected"
"""How often the numbers of all workers were collected for these points, and the seconds that took."""
ENDPOINT: Final = "endpoint"


@dataclass(frozen=True, slots=True)
class Plotted:
    """A counter or a histogram that is kept.

    Attributes:
        family: its name on `/metrics`, whatever `METRICS_NAMES` is.
        labels: those that are kept; series that differ in others are added.
        summed: further labels, each to be kept alone with its sums, since most plots and tables show these. The console's own
            requests are in none of those without the endpoint.
    """

    family: str
    labels: tuple[str, ...] = ()
    summed: tuple[tuple[str, ...], ...] = ()

    def stored_for(self, labels: Iterable[str]) -> str:
        """The name of the stored family with the fewest series that has these labels."""
        needed = set(labels)
        fitting = [each for each in self.summed if needed <= set(each)]
        return summed_name(self.family, min(fitting, key=len)) if fitting else self.family


def summed_name(family: str, labels: Sequence[str]) -> str:
    return f"{family} by {', '.join(labels)}"


PLOTTED: Final = (
    Plotted(REQUESTS, ("method", ENDPOINT, "status"), (("status",), (ENDPOINT, "method"))),
    Plotted(JOBS, ("job_name", "status"), (("status",),)),
    Plotted(CALLS, ("service", ENDPOINT, "status"), (("service", "status"),)),
    Plotted(CALL_DURATIONS, ("service",)),
    Plotted(TOKENS, ("gen_ai_request_model", "gen_ai_token_type")),
    Plotted("errors_total", ("component",)),
    Plotted(DROPPED, ("queue", "reason")),
    Plotted("telemetry_exported_total", ("queue",)),
)


def with_mapped(mappings: Iterable[MetricMapping]) -> tuple[Plotted, ...]:
    """The table, and the counters and histograms that an application has mapped, with all their labels."""
    known = {plotted.family for plotted in PLOTTED}
    added = {
        mapping.name: Plotted(mapping.name, tuple(label.name for label in mapping.labels))
        for mapping in mappings
        if mapping.kind != "gauge" and mapping.labels is not None and mapping.name not in known
    }
    return (*PLOTTED, *added.values())
