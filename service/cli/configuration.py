"""Configuration: what is not set, and what that means."""

from service.settings import Settings
from telemetry.sdk import exporters


def unconfigured(settings: Settings) -> list[str]:
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
    return any(exporters.exporter_names(signal) for signal in exporters.SIGNALS)
