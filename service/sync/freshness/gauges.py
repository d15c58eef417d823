"""The gauges of freshness: the same figures in every process, since they are read from the database."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from service.names import (
    CREDENTIAL_EXPIRY,
    JOB_SUSPENDED,
    MARKETPLACE,
    MARKETPLACES,
    OLDEST_WAITING_AGE,
    RATE_LIMITED_SERVICES,
    RATE_LIMITED_UNTIL,
    RATING,
    RATINGS,
    REVIEWS_WAITING,
    REVIEWS_WITHOUT_DRAFT,
    SOURCE,
    SOURCE_AGE,
)
from service.sync.freshness.snapshot import FreshnessSnapshot
from service.sync.freshness.streams import MonitoredSource
from telemetry import semconv

MAX_SNAPSHOT_AGE: Final = timedelta(minutes=5)
"""Numbers that are older are not shown. Ages are: they grow on."""
Observe = Callable[[FreshnessSnapshot, datetime], Iterable[Observation]]


class FreshnessGauges:
    """`snapshot` gives the newest one, `now` the time by the database's clock. Neither waits for the database."""

    def __init__(
        self,
        sources: Iterable[MonitoredSource],
        snapshot: Callable[[], FreshnessSnapshot | None],
        now: Callable[[], datetime],
    ) -> None:
        self._sources = tuple(sources)
        self._snapshot = snapshot
        self._now = now

    def observe(self, meter: Meter) -> None:
        gauges: tuple[tuple[str, Observe, str, str], ...] = (
            (SOURCE_AGE, self._ages, "s", "Time since a source was last read to its end."),
            (REVIEWS_WAITING, _waiting, "{review}", "Reviews that wait for an answer."),
            (OLDEST_WAITING_AGE, _oldest, "s", "Age of the oldest review that waits for an answer."),
            (REVIEWS_WITHOUT_DRAFT, _without_draft, "{review}", "Reviews that wait for an answer and have no draft."),
            (RATE_LIMITED_UNTIL, _rate_limits, "s", "Unix time until which a service rejects calls."),
            (CREDENTIAL_EXPIRY, _expiries, "s", "When the credentials of a service expire, as Unix time."),
            (JOB_SUSPENDED, self._suspended, "{job}", "1 for a sync that is switched off, and tried again daily."),
        )
        for name, values, unit, description in gauges:
            meter.create_observable_gauge(name, [self._callback(values)], unit, description)

    def _callback(self, values: Observe) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            snapshot = self._snapshot()
            return () if snapshot is None else values(snapshot, self._now())

        return observe

    def _ages(self, snapshot: FreshnessSnapshot, now: datetime) -> Iterable[Observation]:
        for source in [each for each in self._sources if each.stream.job_name not in snapshot.suspended]:
            reading = snapshot.readings.get(source.name)
            if reading is not None and (age := reading.age(now)) is not None:
                attributes = {MARKETPLACE: source.stream.marketplace, SOURCE: source.name}
                yield Observation(age.total_seconds(), attributes)

    def _suspended(self, snapshot: FreshnessSnapshot, _now: datetime) -> Iterable[Observation]:
        for job_name in sorted({source.stream.job_name for source in self._sources}):
            yield Observation(int(job_name in snapshot.suspended), {semconv.JOB_NAME: job_name})


def _waiting(snapshot: FreshnessSnapshot, now: datetime) -> Iterable[Observation]:
    """Also the zeros: another process may still show an older number, which a missing series would not replace."""
    if now - snapshot.taken_at > MAX_SNAPSHOT_AGE:
        return
    for marketplace, rating in product(MARKETPLACES, RATINGS):
        waiting = snapshot.waiting.get((marketplace, rating))
        yield Observation(0 if waiting is None else waiting.number, {MARKETPLACE: marketplace, RATING: rating})


def _oldest(snapshot: FreshnessSnapshot, now: datetime) -> Iterable[Observation]:
    for marketplace, rating in product(MARKETPLACES, RATINGS):
        waiting = snapshot.waiting.get((marketplace, rating))
        seconds = 0.0 if waiting is None else max(0.0, (now - waiting.oldest).total_seconds())
        yield Observation(seconds, {MARKETPLACE: marketplace, RATING: rating})


def _without_draft(snapshot: FreshnessSnapshot, now: datetime) -> Iterable[Observation]:
    return () if now - snapshot.taken_at > MAX_SNAPSHOT_AGE else (Observation(snapshot.without_draft),)


def _rate_limits(snapshot: FreshnessSnapshot, _now: datetime) -> Iterable[Observation]:
    for service in RATE_LIMITED_SERVICES:
        until = snapshot.rate_limited_until.get(service)
        yield Observation(0.0 if until is None else until.timestamp(), {semconv.PEER_SERVICE: service})


def _expiries(snapshot: FreshnessSnapshot, _now: datetime) -> Iterable[Observation]:
    return [Observation(at.timestamp(), {semconv.PEER_SERVICE: service}) for service, at in snapshot.expiries.items()]
