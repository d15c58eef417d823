import pytest

from service.sandbox import credentials
from service.settings import Settings
from telemetry.settings import SettingsError

REAL = {
    "WB_API_TOKEN": "a-real-token-of-the-seller",
    "WB_CLIENT_SECRET": "a-real-secret-of-the-seller",
    "WB_FEEDBACKS_URL": "https://feedbacks-api.wildberries.ru",
    "OZON_CLIENT_ID": "77",
    "OZON_API_KEY": "a-real-key-of-the-seller",
    "OPENAI_API_KEY": "a-real-key-of-somebody",
    "OPENAI_MODEL": "real-model",
    "TELEGRAM_TOKEN": "a-real-token-of-a-bot",
    "MANAGER_CHAT_ID": "-42",
    "TELEGRAM_THREAD_ID": "7",
}


def read(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def test_in_the_sandbox_no_real_address_and_no_real_secret_is_known(monkeypatch):
    settings = read(monkeypatch, SANDBOX="true", SANDBOX_PORT="9191", **REAL)

    values = {str(getattr(value, "get_secret_value", lambda value=value: value)()) for _, value in settings}
    assert values.isdisjoint(REAL.values())
    for url in (settings.wb_feedbacks_url, settings.wb_statistics_url, settings.ozon_api_url, settings.openai_base_url):
        assert url.startswith("http://127.0.0.1:9191/")
    assert settings.telegram_api_url == "http://127.0.0.1:9191/telegram"
    assert settings.ozon_client_id == credentials.OZON_CLIENT_ID


def test_every_signal_says_that_it_comes_from_a_sandbox(monkeypatch):
    assert read(monkeypatch, SANDBOX="true").environment == "development-sandbox"
    assert read(monkeypatch, SANDBOX="1", ENVIRONMENT="staging").environment == "staging-sandbox"


def test_settings_of_a_sandbox_made_from_themselves_are_the_same():
    settings = Settings(sandbox=True)

    assert Settings(**settings.model_dump()) == settings


def test_without_it_everything_is_as_it_was_said(monkeypatch):
    settings = read(monkeypatch, SANDBOX="false", **REAL)

    assert settings.wb_api_token.get_secret_value() == REAL["WB_API_TOKEN"]
    assert settings.environment == "development"


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"ENVIRONMENT": "production"}, "SANDBOX is true, but must be false when ENVIRONMENT is production."),
        ({"PORT": "8081"}, "SANDBOX_PORT is 8081, but must be another than PORT."),
        ({"SANDBOX_PORT": "0"}, "SANDBOX_PORT is '0', but must be a port from 1 to 65535, another than PORT."),
        ({"SANDBOX_FAULTS": "2"}, "SANDBOX_FAULTS is '2', but must be a share from 0 to 1"),
        ({"SANDBOX_FAULTS": "503=0.1"}, "SANDBOX_FAULTS is '503=0.1', but must be"),
        ({"SANDBOX": "maybe"}, "SANDBOX is 'maybe', but must be true or false."),
        ({"JOB_GRACE_SECONDS": "-1"}, "JOB_GRACE_SECONDS is '-1', but must be a whole number of seconds"),
    ],
)
def test_what_cannot_be_is_one_line(monkeypatch, variables, line):
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, **({"SANDBOX": "true"} | variables))

    [said] = str(caught.value).splitlines()
    assert said.startswith(line)
