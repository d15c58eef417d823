"""The services that are called: where they are, and the closed list of their endpoints."""

from typing import Final

from service.names import OPENAI, OZON, WB
from service.settings import Settings
from telemetry import ExternalService
from telemetry.alerts import telegram

_WB_FEEDBACKS: Final = (
    "/ping",
    "/api/v1/feedbacks",
    "/api/v1/feedbacks/answer",
    "/api/v1/feedbacks/archive",
    "/api/v1/feedbacks/count",
    "/api/v1/feedback",
)
_WB_STATISTICS: Final = ("/ping", "/api/v1/supplier/orders", "/api/v1/supplier/sales")
_OZON: Final = (
    "/v1/roles",
    "/v1/review/comment/create",
    "/v1/review/comment/list",
    "/v2/review/list",
    "/v2/review/info",
    "/v2/review/count",
    "/v2/review/change-status",
    "/v3/product/info/list",
    "/v3/posting/fbo/list",
    "/v4/posting/fbs/list",
)
_OPENAI: Final = ("/responses", "/models", "/models/{model}")


def outbound_services(settings: Settings) -> list[ExternalService]:
    """A path off these lists is counted as `unmatched`."""
    return [
        ExternalService(WB, settings.wb_feedbacks_url, _WB_FEEDBACKS),
        ExternalService(WB, settings.wb_statistics_url, _WB_STATISTICS),
        ExternalService(OZON, settings.ozon_api_url, _OZON),
        ExternalService(OPENAI, settings.openai_base_url, _OPENAI),
        telegram.service(settings.telegram_api_url),
    ]
