"""The banner: what runs, what is not configured, and which URLs are worth opening."""

from service import __version__
from service.schedule import Schedule
from service.settings import Settings
from telemetry import otlp

_PAGES = (
    ("/docs", "the API, to try out"),
    ("/api/v1/reviews", "reviews, the newest first; orders are beside them"),
    ("/healthz", "how it is"),
    ("/jobs", "the schedule, with last and next runs"),
    ("/metrics", "what Prometheus reads"),
)


def banner(settings: Settings, schedule: Schedule) -> str:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104  # shown, not bound
    base = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    lines = [
        f"{settings.service_name} {__version__} ({settings.environment})",
        "",
        f"  database   {settings.url.render_as_string(hide_password=True)}",
        f"  logs       {settings.log_dir}",
        f"  scheduler  {_jobs(schedule) if settings.scheduler else 'off in this process'}",
        *(
            ["  sandbox    on: no marketplace, OpenAI or Telegram is called, and nothing here is real"]
            * settings.sandbox
        ),
        *(f"  missing    {sentence}" for sentence in missing(settings)),
        "",
        *(f"  {base + path:<38} {what}" for path, what in _PAGES),
        *(
            [f"  {settings.sandbox_url + '/phone':<38} the phone: what Telegram would show (sandbox)"]
            * settings.sandbox
        ),
    ]
    return "\n".join(lines) + "\n"


def _jobs(schedule: Schedule) -> str:
    return ", ".join(f"{job.name} {job.cadence}" for job in schedule.scheduled())


def missing(settings: Settings) -> list[str]:
    """What is not configured, and what that means; a sentence each."""
    wanted = (
        (settings.wb_api_token, "Wildberries: WB_API_TOKEN is not set."),
        (settings.ozon_client_id and settings.ozon_api_key, "Ozon: OZON_CLIENT_ID and OZON_API_KEY are not both set."),
        (
            settings.openai_api_key and settings.openai_model,
            "OpenAI: OPENAI_API_KEY and OPENAI_MODEL are not both set.",
        ),
        (
            settings.telegram_token and settings.manager_chat_id,
            "Telegram: TELEGRAM_TOKEN and MANAGER_CHAT_ID are not both set.",
        ),
        (_exports(), "OTLP: OTEL_EXPORTER_OTLP_ENDPOINT is not set; traces, metrics and logs stay here."),
    )
    return [sentence for value, sentence in wanted if not value]


def _exports() -> bool:
    return any(otlp.exporters(signal) for signal in otlp.SIGNALS)
