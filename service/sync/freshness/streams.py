"""The sources that are monitored, as data: the lists of each marketplace, and the job that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.integrations.wildberries.credentials import WildberriesToken
from service.names import ORDERS, OZON, REVIEWS, WB
from service.scheduler.job import Job, Schedule
from service.settings import Settings

STALE_AFTER: Final = 3
"""Cadences without a completed reading after which a source is stale."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of one kind from one marketplace, the job that reads them, and its sources by their names."""

    marketplace: str
    kind: str
    job_name: str
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """As in the table `invalid_rows`."""
        return f"{self.marketplace}.{self.kind}"


STREAMS: Final = (
    Stream(WB, REVIEWS, "sync_wb_reviews", ("wb.reviews.unanswered", "wb.reviews.answered", "wb.reviews.archived")),
    Stream(WB, ORDERS, "sync_wb_orders", ("wb.orders",)),
    Stream(OZON, REVIEWS, "sync_ozon_reviews", ("ozon.reviews.new", "ozon.reviews.viewed", "ozon.reviews")),
    Stream(OZON, ORDERS, "sync_ozon_orders", ("ozon.orders.fbs", "ozon.orders.fbo")),
)
SOURCE_NAMES: Final = tuple(name for stream in STREAMS for name in stream.sources)
_CALLS_PER_READING: Final = {REVIEWS: 6, ORDERS: 2}
"""As many calls one reading needs at least; a token with a slow rate limit takes longer for them than the cadence of the job."""


@dataclass(frozen=True, slots=True)
class MonitoredSource:
    """A source, and how often it is to be read to its end."""

    name: str
    stream: Stream
    cadence: timedelta

    @property
    def stale_after(self) -> timedelta:
        return STALE_AFTER * self.cadence


def monitored_sources(schedule: Schedule, settings: Settings, now: datetime) -> tuple[MonitoredSource, ...]:
    """The sources of all jobs that are scheduled."""
    jobs = {job.name: job for job in schedule.scheduled()}
    slowest = _slowest_readings(settings)
    return tuple(
        MonitoredSource(name, stream, max(interval(jobs[stream.job_name], now), slowest.get(stream.name, timedelta(0))))
        for stream in STREAMS
        if stream.job_name in jobs
        for name in stream.sources
    )


def interval(job: Job, now: datetime) -> timedelta:
    """Between two ticks of a job."""
    following = job.cadence.after(now)
    return job.cadence.after(following) - following


def _slowest_readings(settings: Settings) -> Mapping[str, timedelta]:
    """How long a reading takes at least, by the rate limits of the account, for each stream of Wildberries."""
    if settings.wb_api_token is None:
        return {}
    token = WildberriesToken.parse(settings.wb_api_token.get_secret_value())
    limits = {REVIEWS: token.feedbacks_limit, ORDERS: token.orders_limit}
    return {
        f"{WB}.{kind}": timedelta(seconds=_CALLS_PER_READING[kind] * limit.interval)
        for kind, limit in limits.items()
        if limit.burst < _CALLS_PER_READING[kind]
    }
