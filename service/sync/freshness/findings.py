"""The rules of the freshness alerts: which conditions are present in a snapshot. No I/O."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from service.names import OPENAI, AlertSection
from service.sync.freshness.credentials import VARIABLES
from service.sync.freshness.snapshot import DraftingState, FreshnessSnapshot, LastRun
from service.sync.freshness.streams import MonitoredSource
from service.sync.source_progress import MAX_INVALID_SHARE, MIN_INVALID_ROWS
from telemetry.alerts import AlertLevel, Condition
from telemetry.durations import format_timestamp
from telemetry.semconv import DATABASE_COMPONENT

PREFIX: Final = "freshness:"
MIN_FAILING_REVIEWS: Final = 3
EXPIRY_DAYS: Final = (0, 3, 14)
"""Before a credential expires, an alert is sent this many days ahead: once for each."""
_START_GRACE: Final = timedelta(minutes=5)
"""After a downtime, the first readings have this long to complete."""
_MIN_DRAFTING_WINDOW: Final = timedelta(minutes=15)
"""A refused draft is tried again after that time at the earliest."""
Presence = Literal["on", "between", "off"]
"""`between`: not known, or not for long enough. What was sent stays sent."""


@dataclass(frozen=True, slots=True)
class ConditionReading:
    condition: Condition
    presence: Presence


class HoldTimer:
    """Since when this process sees each condition without a gap, by a monotonic clock."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._since: dict[str, float] = {}

    def is_held(self, key: str, hold: timedelta, *, present: bool) -> bool:
        if not present:
            self._since.pop(key, None)
            return False
        return self._elapsed() - self._since.setdefault(key, self._elapsed()) >= hold.total_seconds()


def stale_source(source: MonitoredSource, snapshot: FreshnessSnapshot, timer: HoldTimer) -> ConditionReading:
    """A source without a completed reading for three cadences, or of which no reading has ever begun."""
    reading = snapshot.readings.get(source.name)
    age = None if reading is None else reading.age(snapshot.taken_at)
    is_stale = source.stream.job_name not in snapshot.suspended and (age is None or age > source.stale_after)
    hold = source.stale_after if age is None else min(source.cadence, _START_GRACE)
    key = f"{PREFIX}stale:{source.name}"
    is_held = timer.is_held(key, hold, present=is_stale)
    completed = None if reading is None else reading.completed_at
    since = "has never been read completely" if completed is None else f"was last read completely at {_utc(completed)}"
    text = f"{source.name} is stale: it {since}. It should be every {_rounded(source.cadence)}. Newer data are missing here."
    if reading is not None and reading.last_error:
        text += f" Last error: {reading.last_error}"
    condition = Condition(
        key,
        AlertLevel.WARNING,
        source.stream.marketplace,
        text,
        inhibited_by=DATABASE_COMPONENT,
        section=AlertSection.SOURCE_STALE,
        resolved=f"{source.name} is up to date again",
        lasted="It was stale for",
    )
    return ConditionReading(condition, "on" if is_held else "between" if is_stale else "off")


def invalid_share(stream: str, run: LastRun) -> ConditionReading:
    """Many rows of the last run could not be stored. A run without rows proves nothing."""
    is_large = run.invalid >= MIN_INVALID_ROWS and run.invalid > MAX_INVALID_SHARE * run.rows
    text = (
        f"{run.invalid} of {run.rows} rows of {stream} could not be stored in the last run: "
        "see the table invalid_rows. The format of the marketplace may have changed."
    )
    condition = Condition(
        f"{PREFIX}invalid:{stream}",
        AlertLevel.WARNING,
        stream.partition(".")[0],
        text,
        inhibited_by=DATABASE_COMPONENT,
        section=AlertSection.ROWS_INVALID,
        resolved=f"Rows of {stream} can be read again ({run.invalid} of {run.rows} are invalid)",
        lasted="Many were invalid for",
    )
    return ConditionReading(condition, "on" if is_large else "off" if run.rows else "between")


def drafting_stuck(state: DraftingState, now: datetime, cadence: timedelta, timer: HoldTimer) -> ConditionReading:
    """No draft for three cadences and 15 minutes, though reviews are due, or attempts for several reviews have failed."""
    key, window = f"{PREFIX}drafting", max(3 * cadence, _MIN_DRAFTING_WINDOW)
    is_recent = state.newest_draft is not None and now - state.newest_draft <= window
    is_due = timer.is_held(key, window, present=state.due > 0 and not is_recent)
    is_failing = state.failing >= MIN_FAILING_REVIEWS and not is_recent
    since = f"since {_utc(state.newest_draft)}" if state.newest_draft else "yet"
    text = (
        f"No draft was made {since}: {state.due} reviews are due, and attempts for {state.failing} reviews have failed."
    )
    is_idle = state.due == 0 and state.failing < MIN_FAILING_REVIEWS
    presence: Presence = "on" if is_due or is_failing else "off" if is_recent or is_idle else "between"
    condition = Condition(
        key,
        AlertLevel.WARNING,
        OPENAI,
        text,
        inhibited_by=DATABASE_COMPONENT,
        section=AlertSection.NO_DRAFT,
        resolved="Drafts are made again" if is_recent else "No review is due for a draft",
        lasted="Drafting was stuck for",
    )
    return ConditionReading(condition, presence)


def expiring_credentials(expiries: Mapping[str, datetime], now: datetime) -> Iterator[ConditionReading]:
    """For each threshold one condition; only the most urgent one that is crossed is present."""
    for service, expires_at in expiries.items():
        crossed = [days for days in EXPIRY_DAYS if expires_at - now <= timedelta(days=days)]
        for days in EXPIRY_DAYS:
            presence: Presence = "off" if days not in crossed else "on" if days == crossed[0] else "between"
            yield ConditionReading(_expiry_condition(service, expires_at, days), presence)


def _expiry_condition(service: str, expires_at: datetime, days: int) -> Condition:
    when = "has expired" if days == 0 else f"expires in less than {days} days"
    what = f"Nothing is read from {service}" if days == 0 else f"After that, nothing is read from {service}"
    variable = VARIABLES[service]
    return Condition(
        f"{PREFIX}expiry:{service}:{days}",
        AlertLevel.ERROR if days == 0 else AlertLevel.WARNING,
        service,
        f"{variable} {when} ({_utc(expires_at)}). {what}. Make a new one in the seller's account, and set {variable}.",
        inhibited_by=DATABASE_COMPONENT,
        section=AlertSection.CREDENTIAL_EXPIRES,
        resolved=f"{variable} {'is valid again' if days == 0 else 'no longer expires soon'} (until {expires_at:%Y-%m-%d})",
        lasted="The old one had been expired for" if days == 0 else "The old one was about to expire for",
    )


def _utc(moment: datetime) -> str:
    return format_timestamp(moment.timestamp())


def _rounded(length: timedelta) -> str:
    return f"{length.total_seconds() / 60:.3g} min"
