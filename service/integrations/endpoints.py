"""The registry of external services: each with its base URL and its endpoints.

The endpoints bound the label values of the telemetry: any other path is counted as `unmatched`.
"""

from service.integrations.openai import client as openai
from service.integrations.ozon import client as ozon
from service.integrations.wildberries import client as wildberries
from service.names import OPENAI, OZON, WB
from service.settings import Settings
from telemetry import ExternalService
from telemetry.alerts import telegram


def outbound_services(settings: Settings) -> list[ExternalService]:
    """All external services that the service calls, at the URLs of the settings."""
    return [
        ExternalService(WB, settings.wb_feedbacks_url, wildberries.FEEDBACKS_ENDPOINTS),
        ExternalService(WB, settings.wb_statistics_url, wildberries.STATISTICS_ENDPOINTS),
        ExternalService(OZON, settings.ozon_api_url, ozon.ENDPOINTS),
        ExternalService(OPENAI, settings.openai_base_url, openai.ENDPOINTS),
        telegram.service(settings.telegram_api_url),
    ]
