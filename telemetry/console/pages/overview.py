"""The overview: whether the service is well and why, what needs attention, and the course of the last hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import psutil

from telemetry.alerts.outbox.queries import AlertRecord
from telemetry.console.pages.figures import LEVEL_COLOURS
from telemetry.console.pages.job_rows import JobRow
from telemetry.console.pages.jobs import DEFAULT_WINDOW, read_day
from telemetry.console.pages.overview_plots import NO_PLOTS, read_plots
from telemetry.console.pages.processes import ProcessFacts, read_processes, snapshot_ages
from telemetry.console.parts import Part, read_part
from telemetry.console.view import View
from telemetry.console.words import duration
from telemetry.health.report import CheckResult, Report

_MAX_ALERTS: Final = 200
_MAX_ATTENTION: Final = 12
_MAX_JOBS: Final = 12
_OF_NOTICE: Final = {"error": "bad", "warning": "warn", "info": "info"}
_STATES: Final = {"healthy": ("ok", "Healthy"), "degraded": ("warn", "Degraded"), "unhealthy": ("bad", "Unhealthy")}


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs attention: one line, with a link to where more is said of it.

    Attributes:
        colour: `bad`, `warn` or `info`.
        since: seconds since 1970; None where that is not known.
    """

    colour: str
    label: str
    text: str
    link: str = ""
    link_text: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the service in words: `Degraded: disk 92 % used`, with its colour."""

    colour: str
    sentence: str


def read(view: View) -> dict[str, Any]:
    report = view.health()
    alerts: Part[list[AlertRecord]] = read_part("Alerts", lambda: _firing_alerts(view), [])
    ages = snapshot_ages(view.telemetry.metrics.membership.collect())
    processes: Part[list[ProcessFacts]] = read_part("Processes", lambda: read_processes(view, ages), [])
    no_jobs: tuple[list[JobRow], int] = ([], 0)
    jobs: Part[tuple[list[JobRow], int]] = read_part(
        "Job runs", lambda: read_day(view, _MAX_JOBS), no_jobs, from_database=True
    )
    settings = view.telemetry.settings
    return {
        "health": describe(report),
        "attention": _attention(view, alerts),
        "alerts": alerts,
        "processes": processes,
        "jobs": jobs,
        "day_began": view.now - DEFAULT_WINDOW.seconds,
        "plots": read_part("The figures of the plots", lambda: read_plots(view), NO_PLOTS),
        "totals": _totals(processes.value),
        "version": settings.service_version,
        "environment": settings.environment,
        "database": _database(report),
    }


def describe(report: Report) -> Health:
    """The state in words, with the first reasons for it."""
    colour, word = _STATES[report.status]
    reasons = [_reason(name, result) for name, result in report.results.items() if result.status != "ok"]
    return Health(colour, f"{word}: {'; '.join(reasons[:3])}" if reasons else word)


def _reason(name: str, result: CheckResult) -> str:
    used = result.details.get("used_percent")
    if result.status == "warning" and used is not None:
        return f"{name} {used:.0f} % used"
    return f"{name}: {result.error or result.details.get('error', result.status)}"


def _database(report: Report) -> str:
    latency = report.results["database"].details.get("latency_ms") if "database" in report.results else None
    return "" if latency is None else duration(latency / 1000)


def _firing_alerts(view: View) -> list[AlertRecord]:
    """The newest first."""
    if not view.telemetry.alerts.is_on:
        return []
    return [each for each in view.telemetry.alerts.queries.page(view.now, limit=_MAX_ALERTS) if each.is_firing]


def _attention(view: View, alerts: Part[list[AlertRecord]]) -> list[Attention]:
    """Firing alerts, then what the application says of itself."""
    found = [_of_alert(view, record) for record in alerts.value[:_MAX_ATTENTION]]
    if (left := len(alerts.value) - _MAX_ATTENTION) > 0:
        found.append(Attention("bad", "MORE", f"{left} more alerts fire", view.url("/alerts"), "All alerts"))
    notices = [notice for notice in view.notices if not notice.is_banner]
    return found + [
        Attention(
            _OF_NOTICE[each.level], each.label or each.level.upper(), each.text, each.link, each.link_text or "More"
        )
        for each in notices
    ]


def _of_alert(view: View, record: AlertRecord) -> Attention:
    incident = record.incident
    return Attention(
        LEVEL_COLOURS.get(incident.level.value, "warn"),
        incident.level.value,
        f"{incident.component}: {incident.summary}",
        f"{view.url('/alerts')}#alert-{incident.id}",
        f"Alert {incident.id}",
        incident.first_at,
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all processes: workers, memory in bytes, processors, and the start of the oldest process."""

    workers: int
    memory: int
    cpu: float
    started: float


def _totals(processes: Sequence[ProcessFacts]) -> Totals:
    started = [each.started for each in processes if each.started]
    return Totals(
        len(processes),
        sum(each.memory or 0 for each in processes),
        sum(each.cpu or 0.0 for each in processes),
        min(started, default=psutil.Process().create_time()),
    )
