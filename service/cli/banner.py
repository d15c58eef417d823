"""The start-up banner: settings, scheduled jobs, unconfigured services, the most useful URLs, and what to do next."""

from collections.abc import Iterable
from typing import Final

from service import __version__
from service.cli.output import aligned, program_here
from service.console.unconfigured import unconfigured
from service.scheduler.job import Schedule
from service.settings import Settings

_CONSOLE: Final = ("/console", "the console: requests, jobs, alerts, traces and logs, live")
_PAGES: Final = (
    ("/docs", "the API, to try out"),
    ("/api/v1/reviews", "reviews with drafted answers, newest first"),
    ("/healthz", "health checks (JSON)"),
    ("/jobs", "the schedule, with last and next runs (JSON)"),
    ("/metrics", "metrics for Prometheus"),
)
_PHONE: Final = "the simulated phone: messages that Telegram would show"


def banner(settings: Settings, schedule: Schedule) -> str:
    """The text that `serve` prints at its start."""
    sections = (
        [f"{settings.service_name} {__version__} ({settings.environment})"],
        _table(_about(settings)),
        _table(_missing(settings)),
        _table(_jobs(settings, schedule)),
        _table(_pages(settings)),
        _table(_next_steps()),
    )
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    return [f"  {line}" for line in aligned(rows)] if rows else []


def _about(settings: Settings) -> list[tuple[str, str]]:
    rows = [
        ("Database", settings.url.render_as_string(hide_password=True)),
        ("Logs", str(settings.log_dir)),
    ]
    return [*rows, ("Sandbox", "on: simulated services; no external calls")] if settings.sandbox else rows


def _missing(settings: Settings) -> list[tuple[str, str]]:
    missing = unconfigured(settings)
    return [("NOT CONFIGURED", "IN .env OR THE ENVIRONMENT"), *missing.items()] if missing else []


def _jobs(settings: Settings, schedule: Schedule) -> list[tuple[str, str]]:
    if not settings.scheduler:
        return [("Scheduler", "off in this process")]
    return [("JOB", "SCHEDULE"), *((job.name, str(job.cadence)) for job in schedule.scheduled())]


def _pages(settings: Settings) -> list[tuple[str, str]]:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104  # printed, not bound
    base = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    paths = (_CONSOLE, *_PAGES) if settings.telemetry_console else _PAGES
    pages = [("URL", "CONTENT"), *((base + path, description) for path, description in paths)]
    return [*pages, (f"{settings.sandbox_url}/phone", _PHONE)] if settings.sandbox else pages


def _next_steps() -> list[tuple[str, str]]:
    program = program_here()
    return [
        ("NEXT", ""),
        (f"{program} test-alert", "send a first alert, from another terminal"),
        (f"{program} doctor", "check the configuration"),
        ("Ctrl-C", "stop the service"),
    ]
