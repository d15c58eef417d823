"""Accounts of a time of faults: what went wrong in the sandbox, beside what the service says of it and what OpenAI was paid for."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.tables import AdviceRow
from service.names import DRAFTED, HELD
from service.sync.freshness.streams import STREAMS
from telemetry.jobs import JobRunRow

Labels = tuple[str, ...]
Call = Mapping[str, Any]
CUT: Final = "error"
"""The status label of a call without a whole response."""
READ_ONE_BY_ONE: Final = {
    "wb.reviews.single": ("wb.reviews.unanswered",),
    "ozon.reviews.single": ("ozon.reviews.new", "ozon.reviews.viewed"),
}
"""The lists in which the reviews are missing that are read one by one."""


class FailureStreak(NamedTuple):
    """Failures of a job in a row."""

    job_name: str
    failures: int


def series(page: str, name: str, *labels: str) -> Counter[Labels]:
    """The sums of a metric by these labels, without zeros."""
    sums: Counter[Labels] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in [sample for sample in family.samples if sample.name == name]:
            sums[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return +sums


def stored_drafts(page: str) -> Counter[Labels]:
    """The drafts by outcome, without those whose calls failed: nothing is stored of them."""
    drafts = series(page, "advice_drafts_total", "outcome")
    return Counter({outcome: number for outcome, number in drafts.items() if outcome != ("error",)})


def answered(page: str) -> Counter[Labels]:
    """The requests that publish an answer, by status."""
    found: Counter[Labels] = Counter()
    for (endpoint, status), number in series(page, "http_requests_total", "endpoint", "status").items():
        found[status,] += number * endpoint.endswith("/answer")
    return +found


def differing(ours: Counter[Labels], theirs: Counter[Labels]) -> dict[Labels, tuple[int, int]]:
    """What has two numbers, with both of them."""
    return {key: (ours[key], theirs[key]) for key in ours.keys() | theirs.keys() if ours[key] != theirs[key]}


def unaccounted(counted: Counter[Labels], calls: Iterable[Call]) -> dict[Labels, tuple[int, int]]:
    """The differences between the calls that the service counts and those that were served, with both numbers.

    A connection that ends before a request arrives is a failure of which only the service knows.
    """
    found = differing(counted, served(calls))
    return {key: numbers for key, numbers in found.items() if key[-1] != CUT or numbers[0] < numbers[1]}


def served(calls: Iterable[Call]) -> Counter[Labels]:
    """By service and by the status that the client has seen."""
    sums: Counter[Labels] = Counter()
    for call in calls:
        sums[call["service"], CUT if call["status"] is None else str(call["status"])] += call["calls"]
    return sums


def faults(calls: Iterable[Call]) -> Counter[Labels]:
    """By service and kind."""
    sums: Counter[Labels] = Counter()
    for call in [call for call in calls if call["fault"]]:
        sums[call["service"], call["fault"]] += call["calls"]
    return sums


def unreadable(calls: Iterable[Call]) -> Counter[Labels]:
    """The responses that are a success by their status, and cannot be read, by service."""
    sums: Counter[Labels] = Counter()
    for call in calls:
        if call["fault"] == "malformed" and call["status"] in range(200, 300):
            sums[call["service"],] += call["calls"]
    return sums


def paid(calls: Iterable[Call]) -> int:
    """OpenAI's bill: the requests that it has answered, whether the answers arrived or not."""
    return sum(call["calls"] for call in calls if (call["service"], call["reached"]) == ("openai", 200))


def lost_answers(calls: Iterable[Call]) -> int:
    """The paid answers that a fault has taken away."""
    return paid(call for call in calls if call["fault"])


def drafts(engine: Engine) -> Counter[Labels]:
    """The stored attempts to draft an answer, by outcome."""
    with Session(engine) as session:
        found = session.execute(select(AdviceRow.outcome, func.count()).group_by(AdviceRow.outcome))
        return Counter({(outcome,): number for outcome, number in found})


def paid_drafts(engine: Engine) -> int:
    """Those of which OpenAI's answer arrived."""
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(AdviceRow.input_tokens.is_not(None))) or 0


def drafted_twice(engine: Engine) -> list[int]:
    """The reviews with more than one draft that has a text."""
    whole = select(AdviceRow.review_id).where(AdviceRow.outcome.in_((DRAFTED, HELD)))
    with Session(engine) as session:
        return list(session.scalars(whole.group_by(AdviceRow.review_id).having(func.count() > 1)))


def runs(engine: Engine) -> Counter[Labels]:
    """The runs that ended, without those that could only wait, by job and status."""
    ended = JobRunRow.finished_at.is_not(None), JobRunRow.outcome != "skipped"
    numbers = select(JobRunRow.job_name, JobRunRow.status, func.count()).where(*ended)
    with Session(engine) as session:
        found = session.execute(numbers.group_by(JobRunRow.job_name, JobRunRow.status))
        return Counter({(job_name, status): number for job_name, status, number in found})


def successes(engine: Engine, job_names: Iterable[str], since: datetime) -> dict[str, int]:
    """How many runs of each job began since then and succeeded."""
    began = JobRunRow.outcome == "success", JobRunRow.started_at >= since
    with Session(engine) as session:
        found = session.execute(select(JobRunRow.job_name, func.count()).where(*began).group_by(JobRunRow.job_name))
        numbers = dict(found.tuples().all())
    return {name: numbers.get(name, 0) for name in job_names}


def failed_sources(engine: Engine) -> dict[str, datetime]:
    """The sources that could not be read, with the start of the last run that says so."""
    syncs = JobRunRow.job_name.in_({stream.job_name for stream in STREAMS})
    runs = select(JobRunRow.started_at, JobRunRow.details).where(syncs).order_by(JobRunRow.started_at)
    with Session(engine) as session:
        rows = session.execute(runs).all()
    failed = [(source, started_at) for started_at, details in rows for source in (details or {}).get("failed", {})]
    return {name: started_at for source, started_at in failed for name in READ_ONE_BY_ONE.get(source, (source,))}


def unseen_sources(engine: Engine, sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """The sources that failed, and of which `GET /sources` does not say so."""
    said = {source["source"]: source["last_error_at"] for source in sources if source["last_error"]}
    return [
        name
        for name, since in failed_sources(engine).items()
        if name not in said or datetime.fromisoformat(said[name]) < since
    ]


def streaks(engine: Engine, least: int) -> Iterator[FailureStreak]:
    """The failures in a row of each job, at least so many."""
    ended = select(JobRunRow.job_name, JobRunRow.outcome).where(JobRunRow.outcome.in_(("success", "error", "timeout")))
    with Session(engine) as session:
        rows = session.execute(ended.order_by(JobRunRow.job_name, JobRunRow.finished_at)).all()
    failures: Counter[str] = Counter()
    for job_name, outcome in [*rows, *((name, "success") for name in {name for name, _ in rows})]:
        if outcome != "success":
            failures[job_name] += 1
            continue
        if failures[job_name] >= least:
            yield FailureStreak(job_name, failures[job_name])
        failures[job_name] = 0


def untold(streaks: Iterable[FailureStreak], messages: Iterable[Mapping[str, Any]]) -> set[str]:
    """The jobs that failed, and of which the phone shows nothing."""
    told = {name for message in messages for name in re.findall(r"Job '(\w+)' failed", message["text"])}
    return {streak.job_name for streak in streaks} - told


def unsent(alerts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The alerts that no message has told, although none of the others explains them."""
    return [
        f"{alert['component']}: {alert['text']}"
        for alert in alerts
        if alert["sent_at"] is None and alert["ended"] not in {"inhibited", "silenced"}
    ]


def uncounted(streaks: Iterable[FailureStreak], alerts: Iterable[Mapping[str, Any]]) -> dict[Labels, tuple[int, int]]:
    """The jobs with more failures in a row than there are alerts about them, with repeats: both numbers."""
    failed = Counter((streak.job_name,) for streak in streaks)
    told: Counter[Labels] = Counter()
    for alert in alerts:
        prefix, _, job_name = (alert["condition"] or "").partition(":")
        told[job_name,] += alert["count"] * (prefix == "job")
    return {key: (number, told[key]) for key, number in failed.items() if told[key] < number}
