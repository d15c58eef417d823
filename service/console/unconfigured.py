"""Says which external services are not configured, for the console, the start-up banner and `doctor`."""

from collections.abc import Mapping
from typing import Final

from service.names import OPENAI, OZON, TELEGRAM, WB
from service.settings import REQUIRED_VARIABLES, Settings
from telemetry import exporters

_TITLES: Final[Mapping[str, str]] = {WB: "Wildberries", OZON: "Ozon", OPENAI: "OpenAI", TELEGRAM: "Telegram"}
_NOT_EXPORTED: Final = "OTLP: OTEL_EXPORTER_OTLP_ENDPOINT is not set; traces, metrics and logs stay here."


def unconfigured(settings: Settings) -> list[str]:
    """A sentence for each service that is not configured, in the form `Service: what is not set`."""
    sentences = [f"{_TITLES[service]}: {_not_set(REQUIRED_VARIABLES[service])}" for service in settings.unconfigured()]
    return sentences if _exports() else [*sentences, _NOT_EXPORTED]


def _not_set(variables: tuple[str, ...]) -> str:
    return f"{' and '.join(variables)} {'is not set' if len(variables) == 1 else 'are not both set'}."


def _exports() -> bool:
    return any(exporters.exporter_names(signal) for signal in exporters.SIGNALS)
