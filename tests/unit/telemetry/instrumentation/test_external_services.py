import pytest

from telemetry.instrumentation.external_services import ExternalService, ServiceDirectory

DIRECTORY = ServiceDirectory(
    [
        ExternalService("telegram", "https://api.telegram.org", ("/bot{token}/sendMessage", "/bot{token}/getMe")),
        ExternalService("openai", "https://api.openai.com/v1/", ("/responses", "/models")),
        ExternalService("wb", "http://127.0.0.1:9000/wb", ("/ping", "/api/v1/feedbacks")),
        ExternalService("wb", "http://127.0.0.1:9000/wb", ("/api/v1/supplier/orders",)),
        ExternalService("ozon", "http://user:hidden@127.0.0.1:9000/ozon", ("/v1/roles", "/v2/review/{id}/info")),
        ExternalService("second", "http://127.0.0.1:9000/ozon2", ("/v1/roles",)),
        ExternalService("local", "http://[::1]:9000", ("/ping",)),
    ]
)


@pytest.mark.parametrize(
    ("url", "service", "template"),
    [
        ("https://api.telegram.org/bot123:ABC-DEF/sendMessage", "telegram", "/bot{token}/sendMessage"),
        ("https://api.telegram.org:443/bot123:ABC/getMe?offset=1#x", "telegram", "/bot{token}/getMe"),
        ("https://API.telegram.org/bot123/getMe/", "telegram", "/bot{token}/getMe"),
        ("https://api.telegram.org/bot123/x/getMe", "telegram", "unmatched"),
        ("https://api.telegram.org/bot/getMe", "telegram", "unmatched"),
        ("https://api.telegram.org", "telegram", "unmatched"),
        ("http://api.telegram.org/bot123/getMe", "other", "unmatched"),
        ("https://api.telegram.org:8443/bot123/getMe", "other", "unmatched"),
        ("https://api.telegram.org.evil.example/bot123/getMe", "other", "unmatched"),
        ("https://user:pass@api.telegram.org/bot123/getMe", "telegram", "/bot{token}/getMe"),
        ("https://api.openai.com/v1/models", "openai", "/models"),
        ("https://api.openai.com/v1", "openai", "unmatched"),
        ("https://api.openai.com/v10/models", "other", "unmatched"),
        ("https://api.openai.com/models", "other", "unmatched"),
        ("http://127.0.0.1:9000/wb/ping", "wb", "/ping"),
        ("http://127.0.0.1:9000/wb/api/v1/supplier/orders?flag=0", "wb", "/api/v1/supplier/orders"),
        ("http://127.0.0.1:9000/ozon/v2/review/7/info", "ozon", "/v2/review/{id}/info"),
        ("http://127.0.0.1:9000/ozon2/v1/roles", "second", "/v1/roles"),
        ("http://127.0.0.1:9000/ozon3/v1/roles", "other", "unmatched"),
        ("http://[::1]:9000/ping", "local", "/ping"),
        ("http://127.0.0.1:99999/ping", "other", "unmatched"),
        ("", "other", "unmatched"),
    ],
)
def test_a_url_belongs_to_a_service_and_an_endpoint_of_the_list(url, service, template):
    endpoint = DIRECTORY.find(url)

    assert (endpoint.service, endpoint.template) == (service, template)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.telegram.org/bot123:ABC-DEF/getMe", "https://api.telegram.org/bot{token}/getMe"),
        ("https://api.telegram.org/bot123:ABC-DEF/x", "https://api.telegram.org/…"),
        ("https://api.openai.com/v1/models?limit=1", "https://api.openai.com/v1/models"),
        ("http://127.0.0.1:9000/ozon/v1/roles", "http://127.0.0.1:9000/ozon/v1/roles"),
        ("https://user:pass@elsewhere.example/secret/path?key=1", "https://elsewhere.example:443/…"),
    ],
)
def test_what_is_shown_of_a_url_holds_no_secret(url, shown):
    assert DIRECTORY.find(url).public_url == shown


def test_without_services_everything_is_another():
    assert ServiceDirectory().find("https://api.example/x").service == "other"
