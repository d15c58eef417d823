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
    API_UNREADABLE,
    API_WAIT,
    BACKOFF,
    CHECKS,
    CONNECTIONS_REJECTED,
    COST,
    CREDENTIAL_EXPIRY,
    DRAFT_CHECKS,
    GEN_AI_REQUEST_MODEL,
    INVALID_ROWS,
    JOB_PAUSED,
    JOB_SUSPENDED,
    MARKETPLACE,
    MARKETPLACES,
    MODEL_CALL_DURATION,
    ODD_ROWS,
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
        CONNECTIONS_REJECTED, "{connection}", "Connections closed: slow clients, or oversized headers."
    )


MODEL_CALL_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
"""As OpenTelemetry's conventions for generative AI advise, and so are those of the tokens."""
TOKEN_BUCKETS: Final = tuple(float(4**power) for power in range(14))

_MARKETPLACE = LabelMapping("marketplace", MARKETPLACE)
_STATUS = LabelMapping("status", STATUS)
_MODEL = LabelMapping("model", GEN_AI_REQUEST_MODEL)
_RATED: Final = (_MARKETPLACE, LabelMapping("rating", RATING))
_SERVICE: Final = (LabelMapping("service", semconv.PEER_SERVICE),)
_JOB: Final = (LabelMapping("job_name", semconv.JOB_NAME),)
_SOURCE: Final = (_MARKETPLACE, LabelMapping("source", SOURCE))
_GAUGES_OF_THE_DATABASE: Final[tuple[tuple[str, str, str, tuple[LabelMapping, ...]], ...]] = (
    ("source_age_seconds", SOURCE_AGE, "Time since a source was last read to its end.", _SOURCE),
    ("reviews_waiting", REVIEWS_WAITING, "Reviews that wait for an answer.", _RATED),
    ("reviews_waiting_oldest_age_seconds", OLDEST_WAITING_AGE, "Age of the oldest review that waits.", _RATED),
    ("reviews_without_draft", REVIEWS_WITHOUT_DRAFT, "Reviews that wait for an answer and have no draft.", ()),
    (
        "rate_limited_until_timestamp_seconds",
        RATE_LIMITED_UNTIL,
        "Unix time until which a service rejects calls; 0 if it never did.",
        _SERVICE,
    ),
    ("credential_expiry_timestamp_seconds", CREDENTIAL_EXPIRY, "When the credentials of a service expire.", _SERVICE),
    (
        "scheduler_job_suspended",
        JOB_SUSPENDED,
        "1 for a sync that is switched off, and tried again daily.",
        _JOB,
    ),
    ("job_paused", JOB_PAUSED, "1 while a person has paused the job.", _JOB),
)
"""Every process shows the same figures, so `newest` combines them."""
_BY_STATUS: Final = (_MARKETPLACE, _STATUS)
_REASON: Final = LabelMapping("reason", semconv.REASON)
_COUNTERS: Final[tuple[tuple[str, str, str, tuple[LabelMapping, ...]], ...]] = (
    ("reviews_processed_total", REVIEWS_PROCESSED, "Reviews that a sync has read, by result.", _BY_STATUS),
    ("orders_processed_total", ORDERS_PROCESSED, "Orders that a sync has read, by result.", _BY_STATUS),
    ("advice_generated_total", ADVICE_GENERATED, "Answers drafted.", (_MARKETPLACE,)),
    (
        "advice_drafts_total",
        ADVICE_DRAFTS,
        "Requested drafts, by result.",
        (_MARKETPLACE, LabelMapping("outcome", OUTCOME)),
    ),
    ("draft_checks_total", DRAFT_CHECKS, "Checks that held a draft.", (_REASON,)),
    ("openai_cost_usd_total", COST, "US dollars spent on drafts, of models with known prices.", (_MODEL,)),
    ("external_api_wait_seconds_total", API_WAIT, "Seconds that outgoing calls waited.", (*_SERVICE, _REASON)),
    (
        "external_api_unreadable_total",
        API_UNREADABLE,
        "Responses of a status that means success, with a body that could not be read.",
        _SERVICE,
    ),
    ("scheduler_ticks_skipped_total", TICKS_SKIPPED, "Scheduled runs skipped: the previous one was active.", _JOB),
    (
        "scheduler_runs_missed_total",
        RUNS_MISSED,
        "Scheduled runs that did not begin in time, although a scheduler was running.",
        _JOB,
    ),
    ("scheduler_runs_overdue_total", RUNS_OVERDUE, "Runs that exceeded their maximum runtime.", _JOB),
    (
        "http_connections_refused_total",
        CONNECTIONS_REJECTED,
        "Client connections rejected: too slow, or headers too large.",
        (LabelMapping("status", semconv.HTTP_STATUS_CODE),),
    ),
    ("invalid_rows_total", INVALID_ROWS, "Rows that could not be read or stored.", (_SOURCE[1],)),
    ("odd_rows_total", ODD_ROWS, "Rows that were stored without a part that could not be read.", (_SOURCE[1],)),
)
METRIC_MAPPINGS: Final = (
    *(MetricMapping(name, "counter", source, text, labels) for name, source, text, labels in _COUNTERS),
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
    draft_checks: Counter
    token_usage: Histogram
    model_call_duration: Histogram
    cost: Counter
    call_waits: Counter
    unreadable_responses: Counter
    ticks_skipped: Counter
    runs_missed: Counter
    runs_overdue: Counter
    connections_rejected: Counter
    invalid_rows: Counter
    odd_rows: Counter

    @classmethod
    def create(cls, meter: Meter) -> Self:
        instruments = cls(
            reviews_processed=meter.create_counter(REVIEWS_PROCESSED, "{review}", "Reviews that a sync has seen."),
            orders_processed=meter.create_counter(ORDERS_PROCESSED, "{order}", "Orders that a sync has seen."),
            advice_generated=meter.create_counter(ADVICE_GENERATED, "{answer}", "Answers drafted."),
            drafts=meter.create_counter(ADVICE_DRAFTS, "{draft}", "Requested drafts, by result."),
            draft_checks=meter.create_counter(DRAFT_CHECKS, "{check}", "Checks that drafts failed."),
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
            unreadable_responses=meter.create_counter(
                API_UNREADABLE, "{response}", "Responses that were a success by their status, and could not be read."
            ),
            ticks_skipped=meter.create_counter(
                TICKS_SKIPPED, "{tick}", "Scheduled runs skipped: the previous run was active."
            ),
            runs_missed=meter.create_counter(RUNS_MISSED, "{tick}", "Scheduled runs that did not start in time."),
            runs_overdue=meter.create_counter(RUNS_OVERDUE, "{run}", "Runs that exceeded their maximum runtime."),
            connections_rejected=connections_rejected_counter(meter),
            invalid_rows=meter.create_counter(INVALID_ROWS, "{row}", "Rows that could not be read or stored."),
            odd_rows=meter.create_counter(
                ODD_ROWS, "{row}", "Rows that were stored without a part that could not be read."
            ),
        )
        instruments._declare()
        return instruments

    def _declare(self) -> None:
        """Make the series whose labels are known before the first event: `rate()` does not see an event that makes one."""
        for status in REJECTED_STATUSES:
            self.connections_rejected.add(0, {semconv.HTTP_STATUS_CODE: status})
        for marketplace, kind in product(MARKETPLACES, (REVIEWS, ORDERS)):
            for rows in (self.invalid_rows, self.odd_rows):
                rows.add(0, {SOURCE: f"{marketplace}.{kind}"})
        for marketplace in MARKETPLACES:
            self.advice_generated.add(0, {MARKETPLACE: marketplace})
            self.unreadable_responses.add(0, {semconv.PEER_SERVICE: marketplace})
        self._declare_drafts()
        for service, reason in product(RATE_LIMITED_SERVICES, (RATE_LIMIT, BACKOFF)):
            self.call_waits.add(0, {semconv.PEER_SERVICE: service, semconv.REASON: reason})

    def _declare_drafts(self) -> None:
        for marketplace, outcome in product(MARKETPLACES, OUTCOMES):
            self.drafts.add(0, {MARKETPLACE: marketplace, OUTCOME: outcome})
        for check in CHECKS:
            self.draft_checks.add(0, {semconv.REASON: check})

    def declare_jobs(self, job_names: Iterable[str]) -> None:
        """The same for the series of each scheduled job."""
        for job_name, counter in product(job_names, (self.ticks_skipped, self.runs_missed, self.runs_overdue)):
            counter.add(0, {semconv.JOB_NAME: job_name})

    def count_wait(self, service: str, reason: str, seconds: float) -> None:
        self.call_waits.add(seconds, {semconv.PEER_SERVICE: service, semconv.REASON: reason})

    def count_unreadable(self, service: str) -> None:
        self.unreadable_responses.add(1, {semconv.PEER_SERVICE: service})

    def count_skipped(self, job_name: str) -> None:
        self.ticks_skipped.add(1, {semconv.JOB_NAME: job_name})

    def count_missed(self, job_name: str, ticks: int) -> None:
        self.runs_missed.add(ticks, {semconv.JOB_NAME: job_name})

    def count_overdue(self, job_name: str) -> None:
        self.runs_overdue.add(1, {semconv.JOB_NAME: job_name})
