import re
from pathlib import Path

import pytest

from service.settings import Settings, sandbox_values
from telemetry.settings import SettingsError
from tests.support.processes import ROOT

URL = "a URL that begins with http:// or https://"
BOOLEAN = {"true": True, "1": True, "false": False, "off": False}


def read(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def refusal(monkeypatch, **variables):
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **variables)
    return str(refused.value)


# variable, default, good values with what they become, bad values, what is allowed
CONTRACT = [
    (
        "HOST",
        "127.0.0.1",
        {"0.0.0.0": "0.0.0.0", "::1": "::1"},
        [],
        "an address to listen on, such as 127.0.0.1 or 0.0.0.0",
    ),
    (
        "ALLOWED_HOSTS",
        None,
        {
            name: name
            for name in ("*", "shop.example", "*.shop.example", "a.example, 10.0.0.7,[fd00::7]", "sovani", "my_host,")
        },
        [
            "https://shop.example",
            "shop.example:8080",
            "a b",
            "*.*.ex",
            "shop.*",
            "::1",
            "-a",
            ".ex",
            "a..b",
            "a;b",
        ],
        "names of hosts without scheme and port, with commas between them, such as shop.example,*.shop.example",
    ),
    ("PORT", 8080, {"0": 0, "65535": 65535}, ["65536", "-1", "http", "80.5"], "a port from 0 to 65535"),
    ("SCHEDULER", True, BOOLEAN, ["maybe"], "true or false: whether this process runs the scheduled jobs"),
    ("SANDBOX", False, BOOLEAN, ["maybe"], "true or false"),
    (
        "MANAGER_CHAT_ID",
        None,
        {"-1001234567890": "-1001234567890", "42": "42", "@sellers": "@sellers"},
        ["sellers", "@", "12a", "https://t.me/x"],
        "a chat's number, or @name of a channel",
    ),
    (
        "TELEGRAM_API_URL",
        "https://api.telegram.org",
        {"http://127.0.0.1:9": "http://127.0.0.1:9"},
        ["api.telegram.org"],
        URL,
    ),
    ("TELEGRAM_THREAD_ID", None, {"7": 7}, ["0", "x"], "a whole number: the topic's id in a forum"),
    ("WB_FEEDBACKS_URL", "https://feedbacks-api.wildberries.ru", {"http://h": "http://h"}, ["h", "ftp://h"], URL),
    ("WB_STATISTICS_URL", "https://statistics-api.wildberries.ru", {"http://h": "http://h"}, ["h"], URL),
    ("OZON_CLIENT_ID", None, {"123456": "123456"}, ["abc", "12 3"], "a whole number: the seller's Client-Id"),
    ("OZON_API_URL", "https://api-seller.ozon.ru", {"http://h": "http://h"}, ["h"], URL),
    ("OPENAI_BASE_URL", "https://api.openai.com/v1", {"http://h/v1": "http://h/v1"}, ["h/v1"], URL),
    ("OPENAI_MODEL", None, {"gpt-next": "gpt-next"}, [], "the name of a model"),
    (
        "OPENAI_REASONING_EFFORT",
        None,
        {"none": "none", "high": "high"},
        ["much", "Low"],
        "none, minimal, low, medium, high, xhigh or max",
    ),
]
SECRETS = [
    ("OPS_TOKEN", "a secret of at least 8 characters; without it the operations API is open"),
    ("TELEGRAM_TOKEN", "the token that BotFather gave, such as 123456:ABC-DEF"),
    ("WB_API_TOKEN", "the seller's API token (a JWT)"),
    ("WB_CLIENT_SECRET", "the client secret of a Base token, which has higher limits with it"),
    ("OZON_API_KEY", "the seller's Api-Key"),
    ("OPENAI_API_KEY", "an API key of OpenAI"),
]


@pytest.mark.parametrize(("variable", "default"), [row[:2] for row in CONTRACT])
def test_a_variable_that_is_not_set_has_the_default_of_the_contract(variable, default):
    assert getattr(Settings.read(), variable.lower()) == default


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [(variable, text, value) for variable, _, good, *_ in CONTRACT for text, value in good.items()],
)
def test_a_good_value_is_taken(monkeypatch, variable, text, value):
    assert getattr(read(monkeypatch, **{variable: text}), variable.lower()) == value


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [(variable, text, allowed) for variable, _, _, bad, allowed in CONTRACT for text in bad],
)
def test_a_bad_value_is_one_line_that_says_what_it_is_and_what_it_may_be(monkeypatch, variable, text, allowed):
    assert refusal(monkeypatch, **{variable: text}) == f"{variable} is {text!r}, but must be {allowed}."


@pytest.mark.parametrize("variable", [row[0] for row in CONTRACT + SECRETS])
def test_an_empty_value_is_none(monkeypatch, variable):
    assert read(monkeypatch, **{variable: ""}) == Settings.read()


@pytest.mark.parametrize(("variable", "allowed"), SECRETS)
def test_a_secret_that_is_wrong_is_not_repeated(monkeypatch, variable, allowed):
    assert refusal(monkeypatch, **{variable: "hush"}) == f"{variable} is (hidden), but must be {allowed}."


@pytest.mark.parametrize("variable", [row[0] for row in SECRETS])
def test_a_secret_is_taken_and_not_told(monkeypatch, variable):
    settings = read(monkeypatch, **{variable: "very-hidden-value"})
    secret = getattr(settings, variable.lower())

    assert secret.get_secret_value() == "very-hidden-value"
    assert "hidden" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {secret}"


@pytest.mark.parametrize("variable", [row[0] for row in SECRETS])
def test_a_secret_is_not_told_when_another_variable_is_wrong(monkeypatch, variable):
    assert "hidden" not in refusal(monkeypatch, PORT="http", **{variable: "very-hidden-value"})


def test_the_sandbox_is_refused_in_production(monkeypatch):
    assert refusal(monkeypatch, SANDBOX="true", ENVIRONMENT="production") == (
        "SANDBOX is true, but must be false when ENVIRONMENT is production."
    )


@pytest.mark.parametrize(
    ("sandbox", "environment"), [("true", "development"), ("true", "staging"), ("false", "production")]
)
def test_the_sandbox_is_allowed_elsewhere(monkeypatch, sandbox, environment):
    assert read(monkeypatch, SANDBOX=sandbox, ENVIRONMENT=environment).sandbox == (sandbox == "true")


@pytest.mark.parametrize(
    ("host", "on_loopback"),
    [("127.0.0.1", True), ("127.0.1.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_it_is_known_whether_others_can_reach_the_service(monkeypatch, host, on_loopback):
    assert read(monkeypatch, HOST=host).on_loopback is on_loopback


def test_what_runs_has_a_name_and_a_version():
    assert Settings.service_name == "sovani"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", Settings.service_version)


def test_every_variable_is_explained_in_the_example_and_no_other():
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    known = {name.upper() for name in Settings.model_fields}

    assert known <= named
    assert {name for name in named - known if not name.startswith("OTEL_")} == set()


OUTSIDE = {name: Settings.model_fields[name].default for name in sandbox_values({})}


def test_the_example_is_a_good_one_with_the_defaults_of_the_contract(monkeypatch):
    """But for the sandbox, which it switches on: the service works before anybody has a token."""
    text = (ROOT / ".env.example").read_text()
    Path(".env").write_text(re.sub(r"^#([A-Z][A-Z0-9_]+=)", r"\1", text, flags=re.MULTILINE))
    for name in set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)):
        monkeypatch.setenv(name, "")  # so that it is taken back after the test
        monkeypatch.delenv(name)
    defaults = Settings()

    settings = Settings.read()

    assert settings == Settings(sandbox=True)
    assert (defaults.sandbox, settings.sandbox) == (False, True)
    assert Settings(**{**settings.model_dump(), "sandbox": False, **OUTSIDE}) == defaults


@pytest.mark.parametrize(
    ("given", "says_so"),
    [
        ({"environment": "production"}, True),
        ({"environment": "production", "ops_token": "a-token-of-tests"}, False),
        ({"environment": "staging"}, False),
    ],
)
def test_in_production_without_a_token_everybody_may_look(given, says_so):
    assert ("OPS_TOKEN is not set" in Settings(**given).exposure_warning) is says_so


def test_it_is_known_which_services_are_not_configured_and_what_each_of_them_lacks():
    settings = Settings(wb_api_token="0123456789", ozon_api_key="0123456789", openai_api_key="0123456789")

    assert settings.unconfigured() == {
        "ozon": ["OZON_CLIENT_ID"],
        "openai": ["OPENAI_MODEL"],
        "telegram": ["TELEGRAM_TOKEN", "MANAGER_CHAT_ID"],
    }


def test_in_the_sandbox_every_service_is_configured():
    assert Settings(sandbox=True).unconfigured() == {}


@pytest.mark.parametrize("name", ["OPS_TOKN", "LOG_LEVL", "DATABASE_URI"])
def test_a_misspelled_variable_is_one_line(monkeypatch, name):
    monkeypatch.setenv(name, "canary-12345")

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert re.fullmatch(rf"{name} is unknown: did you mean [A-Z_]+\?", str(refused.value))


@pytest.mark.parametrize(
    "configured",
    [
        {"TELEGRAM_TOKEN": "123456:ABC-DEF"},
        {"ALERT_WEBHOOK_URL": "https://hook.example/secret"},
        {"WB_API_TOKEN": "canary-12345"},
        {"OZON_CLIENT_ID": "1", "OZON_API_KEY": "canary-12345"},
        {"OPENAI_API_KEY": "canary-12345", "OPENAI_MODEL": "model"},
    ],
)
def test_a_proxy_that_a_configured_service_cannot_use_stops_the_start(monkeypatch, configured):
    monkeypatch.setenv("ALL_PROXY", "socks4://user:canary-12345@proxy:1080")
    read(monkeypatch)

    with pytest.raises(SettingsError, match=r"^ALL_PROXY is socks4://proxy:1080, but must be a URL such as [^\n]+$"):
        read(monkeypatch, **configured)


def test_the_sandbox_needs_no_proxy(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy:1080")

    assert read(monkeypatch, SANDBOX="true").sandbox


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "cheap", "0,04"])
@pytest.mark.parametrize(
    "name",
    ["COST_CPU_HOUR_USD", "COST_MEMORY_GB_HOUR_USD", "COST_STORAGE_GB_MONTH_USD", "COST_BUDGET_MONTH_USD"],
)
def test_a_price_that_is_no_price_stops_the_start_with_one_line(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        Settings.read()

    assert str(raised.value).startswith(f"{name} is '{value}', but must be US dollars")
    assert "\n" not in str(raised.value)
