"""The start-up banner: settings, scheduled jobs, unconfigured services, and the most useful URLs."""

from service import __version__
from service.console.unconfigured import unconfigured
from service.scheduler.job import Schedule
from service.settings import Settings

_PAGES = (
    ("/docs", "the API, to try out"),
    ("/api/v1/reviews", "reviews with drafted answers, newest first"),
    ("/healthz", "health checks (JSON)"),
    ("/jobs", "the schedule, with last and next runs"),
    ("/metrics", "metrics for Prometheus"),
)


def banner(settings: Settings, schedule: Schedule) -> str:
    """The text that `serve` prints at its start."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104  # printed, not bound
    base = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    lines = [
        f"{settings.service_name} {__version__} ({settings.environment})",
        "",
        f"  database   {settings.url.render_as_string(hide_password=True)}",
        f"  logs       {settings.log_dir}",
        *(["  sandbox    on: simulated services; no external calls"] * settings.sandbox),
        *(f"  missing    {sentence}" for sentence in unconfigured(settings)),
        "",
        *(_jobs(schedule) if settings.scheduler else ["  scheduler  off in this process"]),
        "",
        *(f"  {base + path:<38} {description}" for path, description in _PAGES),
        *(
            [f"  {settings.sandbox_url + '/phone':<38} the simulated phone: messages that Telegram would show"]
            * settings.sandbox
        ),
        "",
        "  Next: `python -m service test-alert` sends a first alert, `python -m service doctor` checks the configuration.",
        "  Ctrl-C stops the service.",
    ]
    return "\n".join(lines) + "\n"


def _jobs(schedule: Schedule) -> list[str]:
    """A line for each job with its schedule."""
    jobs = schedule.scheduled()
    width = max((len(job.name) for job in jobs), default=0)
    heads = ["jobs", *[""] * len(jobs)]
    return [f"  {head:<10} {job.name:<{width}}  {job.cadence}" for head, job in zip(heads, jobs, strict=False)]
