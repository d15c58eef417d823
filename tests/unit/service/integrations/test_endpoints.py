import pytest

from service.integrations.endpoints import outbound_services
from service.settings import Settings
from telemetry.instrumentation.external_services import ServiceDirectory

CALLS = [
    ("https://feedbacks-api.wildberries.ru/ping", "wb", "/ping"),
    (
        "https://feedbacks-api.wildberries.ru/api/v1/feedbacks?isAnswered=false&take=100&skip=0",
        "wb",
        "/api/v1/feedbacks",
    ),
    ("https://feedbacks-api.wildberries.ru/api/v1/feedbacks/answer", "wb", "/api/v1/feedbacks/answer"),
    (
        "https://statistics-api.wildberries.ru/api/v1/supplier/orders?dateFrom=2025-10-02",
        "wb",
        "/api/v1/supplier/orders",
    ),
    ("https://api-seller.ozon.ru/v2/review/list", "ozon", "/v2/review/list"),
    ("https://api-seller.ozon.ru/v3/posting/fbo/list", "ozon", "/v3/posting/fbo/list"),
    ("https://api.openai.com/v1/responses", "openai", "/responses"),
    ("https://api.telegram.org/bot123456:ABC-DEF/sendMessage", "telegram", "/bot{token}/sendMessage"),
    ("https://api.telegram.org/bot123456:ABC-DEF/getMe", "telegram", "/bot{token}/getMe"),
    ("https://api-seller.ozon.ru/v9/unheard/of", "ozon", "unmatched"),
    ("https://example.com/", "other", "unmatched"),
]


@pytest.mark.parametrize(("url", "service", "endpoint"), CALLS)
def test_a_call_of_the_service_is_known_by_service_and_endpoint(url, service, endpoint):
    found = ServiceDirectory(outbound_services(Settings())).find(url)

    assert (found.service, found.template) == (service, endpoint)


def test_the_services_may_be_elsewhere_and_all_in_one_place():
    """As the sandbox has them."""
    settings = Settings(
        wb_feedbacks_url="http://127.0.0.1:9/wb",
        wb_statistics_url="http://127.0.0.1:9/wb",
        ozon_api_url="http://127.0.0.1:9/ozon",
        openai_base_url="http://127.0.0.1:9/openai/v1",
        telegram_api_url="http://127.0.0.1:9/telegram/",
    )
    directory = ServiceDirectory(outbound_services(settings))

    found = [
        directory.find(f"http://127.0.0.1:9/{path}")
        for path in (
            "wb/api/v1/feedbacks",
            "wb/api/v1/supplier/orders",
            "ozon/v1/roles",
            "openai/v1/models",
            "telegram/bot1:A/getMe",
        )
    ]

    assert [(each.service, each.template) for each in found] == [
        ("wb", "/api/v1/feedbacks"),
        ("wb", "/api/v1/supplier/orders"),
        ("ozon", "/v1/roles"),
        ("openai", "/models"),
        ("telegram", "/bot{token}/getMe"),
    ]


def test_no_token_is_part_of_an_endpoint():
    templates = [template for service in outbound_services(Settings()) for template in service.endpoints]

    assert [template for template in templates if "bot" in template and "{token}" not in template] == []
