"""The start-up banner: settings, scheduled jobs, unconfigured services, and the most useful URLs."""

from service import __version__
from service.cli.configuration import unconfigured
from service.scheduler.job import Schedule
from service.settings import Settings

_PAGES = (
    ("/docs", "the API, to try out"),
    ("/api/v1/reviews", "reviews, the newest first; orders are beside them"),
    ("/healthz", "how it is"),
    ("/jobs", "the schedule, with last and next runs"),
    ("/metrics", "what Prometheus reads"),
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
        f"  scheduler  {_job_list(schedule) if settings.scheduler else 'off in this process'}",
        *(
            ["  sandbox    on: no marketplace, OpenAI or Telegram is called, and nothing here is real"]
            * settings.sandbox
        ),
        *(f"  missing    {sentence}" for sentence in unconfigured(settings)),
        "",
        *(f"  {base + path:<38} {description}" for path, description in _PAGES),
        *(
            [f"  {settings.sandbox_url + '/phone':<38} the phone: what Telegram would show (sandbox)"]
            * settings.sandbox
        ),
    ]
    return "\n".join(lines) + "\n"


def _job_list(schedule: Schedule) -> str:
    return ", ".join(f"{job.name} {job.cadence}" for job in schedule.scheduled())
