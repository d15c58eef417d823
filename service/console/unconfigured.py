"""Says which external services are not configured, for the console, the start-up banner and `doctor`."""

from collections.abc import Mapping
from typing import Final

from service.names import OPENAI, OZON, TELEGRAM, WB
from service.settings import REQUIRED_VARIABLES, Settings
from telemetry import exporters

_TITLES: Final[Mapping[str, str]] = {WB: "Wildberries", OZON: "Ozon", OPENAI: "OpenAI", TELEGRAM: "Telegram"}
OTLP: Final = "OTLP"
_EXPORT: Final = "set OTEL_EXPORTER_OTLP_ENDPOINT to export traces, metrics and logs"


def unconfigured(settings: Settings) -> dict[str, str]:
    """The services that are not configured, each with what to do."""
    services = {
        _TITLES[service]: f"set {' and '.join(REQUIRED_VARIABLES[service])}" for service in settings.unconfigured()
    }
    return services if _exports() else {**services, OTLP: _EXPORT}


def _exports() -> bool:
    return any(exporters.exporter_names(signal) for signal in exporters.SIGNALS)
