"""The service's own instruments, and what they are called on `/metrics`."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import product
from typing import Final, Self

from opentelemetry.metrics import Counter, Histogram, Meter

from service.names import (
    ADVICE_DRAFTS,
    ADVICE_GENERATED,
    API_WAIT,
    BACKOFF,
    CONNECTIONS_REJECTED,
    COST,
    CREDENTIAL_EXPIRY,
    GEN_AI_REQUEST_MODEL,
    INVALID_ROWS,
    MARKETPLACE,
    MARKETPLACES,
    MODEL_CALL_DURATION,
    OLDEST_WAITING_AGE,
    ORDERS,
    ORDERS_PROCESSED,
    OUTCOME,
    OUTCOMES,
    RATE_LIMIT,
    RATE_LIMITED_SERVICES,
    RATE_LIMITED_UNTIL,
    RATING,
    REVIEWS,
    REVIEWS_PROCESSED,
    REVIEWS_WAITING,
    REVIEWS_WITHOUT_DRAFT,
    RUNS_MISSED,
    RUNS_OVERDUE,
    SOURCE,
    SOURCE_AGE,
    STATUS,
    TICKS_SKIPPED,
    TOKEN_USAGE,
)
from telemetry import semconv
from telemetry.metrics import LabelMapping, MetricMapping

REJECTED_STATUSES: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def connections_rejected_counter(meter: Meter) -> Counter:
    return meter.create_counter(
        CONNECTIONS_REJECTED, "{connection}", "Connections closed: a client too slow, or a head too large."
    )


MODEL_CALL_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
"""As OpenTelemetry's conventions for generative AI advise, and so are those of the tokens."""
TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))

_MARKETPLACE = LabelMapping("marketplace", MARKETPLACE)
_STATUS = LabelMapping("status", STATUS)
_RATED: Final = (_MARKETPLACE, LabelMapping("rating", RATING))
_SERVICE: Final = (LabelMapping("service", semconv.PEER_SERVICE),)
_SOURCE: Final = (_MARKETPLACE, LabelMapping("source", SOURCE))
_GAUGES_OF_THE_DATABASE: Final[tuple[tuple[str, str, str, tuple[LabelMapping, ...]], ...]] = (
    ("source_age_seconds", SOURCE_AGE, "Time since a source was last read to its end.", _SOURCE),
    ("reviews_waiting", REVIEWS_WAITING, "Reviews that wait for an answer.", _RATED),
    ("reviews_waiting_oldest_age_seconds", OLDEST_WAITING_AGE, "Age of the oldest review that waits.", _RATED),
    ("reviews_without_draft", REVIEWS_WITHOUT_DRAFT, "Reviews that wait for an answer and have no draft.", ()),
    (
        "rate_limited_until_timestamp_seconds",
        RATE_LIMITED_UNTIL,
        "Until when a service wants no calls; 0 if it never said.",
        _SERVICE,
    ),
    ("credential_expiry_timestamp_seconds", CREDENTIAL_EXPIRY, "When the credentials of a service expire.", _SERVICE),
)
"""Every process shows the same figures, so `newest` combines them."""
METRIC_MAPPINGS: Final = (
    MetricMapping(
        "reviews_processed_total",
        "counter",
        REVIEWS_PROCESSED,
        "Reviews that a sync has seen, by what became of them.",
        (_MARKETPLACE, _STATUS),
    ),
    MetricMapping(
        "orders_processed_total",
        "counter",
        ORDERS_PROCESSED,
        "Orders that a sync has seen, by what became of them.",
        (_MARKETPLACE, _STATUS),
    ),
    MetricMapping("advice_generated_total", "counter", ADVICE_GENERATED, "Answers drafted.", (_MARKETPLACE,)),
    MetricMapping(
        "advice_drafts_total",
        "counter",
        ADVICE_DRAFTS,
        "Drafts that were asked for, by what became of them.",
        (_MARKETPLACE, LabelMapping("outcome", OUTCOME)),
    ),
    MetricMapping(
        "openai_cost_usd_total",
        "counter",
        COST,
        "US dollars spent on drafts, of models whose prices are known.",
        (LabelMapping("model", GEN_AI_REQUEST_MODEL),),
    ),
    MetricMapping(
        "external_api_wait_seconds_total",
        "counter",
        API_WAIT,
        "Seconds that calls to other services waited before they began.",
        (LabelMapping("service", semconv.PEER_SERVICE), LabelMapping("reason", semconv.REASON)),
    ),
    MetricMapping(
        "scheduler_ticks_skipped_total",
        "counter",
        TICKS_SKIPPED,
        "Ticks of a job that found the run before them going on.",
        (LabelMapping("job_name", semconv.JOB_NAME),),
    ),
    MetricMapping(
        "scheduler_runs_missed_total",
        "counter",
        RUNS_MISSED,
        "Ticks of a job for which no run began in time, though somebody was there.",
        (LabelMapping("job_name", semconv.JOB_NAME),),
    ),
    MetricMapping(
        "scheduler_runs_overdue_total",
        "counter",
        RUNS_OVERDUE,
        "Runs of a job that went on for longer than they may.",
        (LabelMapping("job_name", semconv.JOB_NAME),),
    ),
    MetricMapping(
        "http_connections_refused_total",
        "counter",
        CONNECTIONS_REJECTED,
        "Connections closed: a client too slow, or the head of a request too large.",
        (LabelMapping("status", semconv.HTTP_STATUS_CODE),),
    ),
    MetricMapping(
        "invalid_rows_total",
        "counter",
        INVALID_ROWS,
        "Rows of a source that could not be read, or had an odd part.",
        (LabelMapping("source", SOURCE),),
    ),
    *(
        MetricMapping(name, "gauge", source, text, labels, gauge_mode="newest")
        for name, source, text, labels in _GAUGES_OF_THE_DATABASE
    ),
)


@dataclass(frozen=True, slots=True)
class ServiceInstruments:
    """A new metric is one field and one line; its name on `/metrics` is one row of `METRIC_MAPPINGS`."""

    reviews_processed: Counter
    orders_processed: Counter
    advice_generated: Counter
    drafts: Counter
    token_usage: Histogram
    model_call_duration: Histogram
    cost: Counter
    call_waits: Counter
    ticks_skipped: Counter
    runs_missed: Counter
    runs_overdue: Counter
    connections_rejected: Counter
    invalid_rows: Counter

    @classmethod
    def create(cls, meter: Meter) -> Self:
        instruments = cls(
            reviews_processed=meter.create_counter(REVIEWS_PROCESSED, "{review}", "Reviews that a sync has seen."),
            orders_processed=meter.create_counter(ORDERS_PROCESSED, "{order}", "Orders that a sync has seen."),
            advice_generated=meter.create_counter(ADVICE_GENERATED, "{answer}", "Answers drafted."),
            drafts=meter.create_counter(ADVICE_DRAFTS, "{draft}", "Drafts asked for, by what became of them."),
            token_usage=meter.create_histogram(
                TOKEN_USAGE,
                "{token}",
                "Tokens that a call used.",
                explicit_bucket_boundaries_advisory=TOKEN_BUCKETS,
            ),
            model_call_duration=meter.create_histogram(
                MODEL_CALL_DURATION,
                "s",
                "Duration of calls of a model, failed ones included.",
                explicit_bucket_boundaries_advisory=MODEL_CALL_BUCKETS,
            ),
            cost=meter.create_counter(COST, "USD", "Money spent on calls of models whose prices are known."),
            call_waits=meter.create_counter(API_WAIT, "s", "Time that calls waited before they began."),
            ticks_skipped=meter.create_counter(
                TICKS_SKIPPED, "{tick}", "Ticks that found the run before them going on."
            ),
            runs_missed=meter.create_counter(RUNS_MISSED, "{tick}", "Ticks for which no run began in time."),
            runs_overdue=meter.create_counter(RUNS_OVERDUE, "{run}", "Runs that went on for longer than they may."),
            connections_rejected=connections_rejected_counter(meter),
            invalid_rows=meter.create_counter(
                INVALID_ROWS, "{row}", "Rows that could not be read, or had an odd part."
            ),
        )
        instruments._declare()
        return instruments

    def _declare(self) -> None:
        """Make the series whose labels are known before the first event: `rate()` does not see an event that makes one."""
        for status in REJECTED_STATUSES:
            self.connections_rejected.add(0, {semconv.HTTP_STATUS_CODE: status})
        for marketplace, kind in product(MARKETPLACES, (REVIEWS, ORDERS)):
            self.invalid_rows.add(0, {SOURCE: f"{marketplace}.{kind}"})
        for marketplace in MARKETPLACES:
            self.advice_generated.add(0, {MARKETPLACE: marketplace})
        for marketplace, outcome in product(MARKETPLACES, OUTCOMES):
            self.drafts.add(0, {MARKETPLACE: marketplace, OUTCOME: outcome})
        for service, reason in product(RATE_LIMITED_SERVICES, (RATE_LIMIT, BACKOFF)):
            self.call_waits.add(0, {semconv.PEER_SERVICE: service, semconv.REASON: reason})

    def declare_jobs(self, job_names: Iterable[str]) -> None:
        """The same for the series of each scheduled job."""
        for job_name, counter in product(job_names, (self.ticks_skipped, self.runs_missed, self.runs_overdue)):
            counter.add(0, {semconv.JOB_NAME: job_name})

    def count_wait(self, service: str, reason: str, seconds: float) -> None:
        self.call_waits.add(seconds, {semconv.PEER_SERVICE: service, semconv.REASON: reason})

    def count_skipped(self, job_name: str) -> None:
        self.ticks_skipped.add(1, {semconv.JOB_NAME: job_name})

    def count_missed(self, job_name: str, ticks: int) -> None:
        self.runs_missed.add(ticks, {semconv.JOB_NAME: job_name})

    def count_overdue(self, job_name: str) -> None:
        self.runs_overdue.add(1, {semconv.JOB_NAME: job_name})
