"""The texts of alerts about jobs: how often one failed in a row, and how it is when it works again. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from telemetry.durations import format_timestamp
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak

MISSED: Final = "missed:"
OVERDUE: Final = "overdue:"
_FAILURES: Final = "Failures"
_FAILURES_TEXT: Final = re.compile(r"(\d+ (?:or more )?)in a row, since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
_RESOLVED: Final = {
    MISSED: ("Job {job} runs again", "The delay lasted"),
    OVERDUE: ("Job {job} is no longer overdue", "The run was overdue for"),
}


def summary(streak: FailureStreak, failures: list[Failure]) -> str:
    return f"Job '{streak.job_name}' failed:\n{failures[-1].error or failures[-1].outcome}"


def facts(streak: FailureStreak, failures: list[Failure]) -> dict[str, str]:
    last = failures[-1]
    more = "or more " if streak.is_truncated else ""
    return {
        _FAILURES: f"{len(failures)} {more}in a row, since {format_timestamp(failures[0].ended_at.timestamp())}",
        **({"First failed": last.first_error} if last.first_error else {}),
        "Last success": format_timestamp(streak.last_success.timestamp()) if streak.last_success else "never",
    }


def read_failures(known: Mapping[str, str]) -> tuple[str, float | None]:
    """How many failures there were, such as `5` or `100 or more`, and since when, from the facts of an alert.

    Empty and None for one failure, and if the facts say nothing of it.
    """
    found = _FAILURES_TEXT.fullmatch(known.get(_FAILURES, ""))
    if found is None:
        return "", None
    try:
        since = datetime.fromisoformat(f"{found[2]}+00:00").timestamp()
    except ValueError:
        return "", None
    number = found[1].strip()
    return ("" if number == "1" else number), since


def resolved(kind: str, job_name: str) -> tuple[str, str]:
    """The beginnings of the two sentences about the end of missed or overdue runs: how it is, and how long it lasted."""
    again, lasted = _RESOLVED[kind]
    return again.replace("{job}", job_name), lasted
