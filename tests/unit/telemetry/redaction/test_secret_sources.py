import pytest
from pydantic import SecretStr

from telemetry.redaction.secret_sources import collect_secrets
from telemetry.settings import TelemetrySettings


@pytest.fixture
def secrets(monkeypatch):
    def collect(environment=None, **settings):
        return collect_secrets(TelemetrySettings(**settings), environment or {})

    return collect


def test_each_secret_of_the_settings_is_known_by_its_variable(secrets):
    assert secrets(ops_token=SecretStr("ops-token-1"), telegram_token=SecretStr("123456:ABCDEF")) == {
        "OPS_TOKEN": "ops-token-1",
        "TELEGRAM_TOKEN": "123456:ABCDEF",
    }


def test_the_password_of_the_database_is_known_and_not_one_that_the_url_says_anyhow(secrets):
    assert secrets(database_url="postgresql+psycopg://me:p%40ss-word@host/db") == {
        "password of DATABASE_URL": "p@ss-word"
    }
    assert secrets(database_url="postgresql+psycopg://sovani:sovani@host/sovani") == {}


def test_whoever_knows_the_path_of_a_webhook_may_use_it(secrets):
    webhook = secrets(alert_webhook_url=SecretStr("https://hooks.example/services/T0/B0/xyz?key=1"))

    assert webhook == {
        "ALERT_WEBHOOK_URL": "https://hooks.example/services/T0/B0/xyz?key=1",
        "ALERT_WEBHOOK_URL's path": "/services/T0/B0/xyz?key=1",
    }


def test_headers_for_the_collector_passwords_in_urls_and_variables_that_say_so_are_known(secrets):
    environment = {
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20dXNlcjpwYXNz,x-scope=tenant-7",
        "HTTPS_PROXY": "http://me:proxy-pass@proxy:3128",
        "PGPASSWORD": "pg-password",
        "PATH": "/usr/bin",
        "GRAFANA_API_KEY": "graf-0123",
    }

    assert secrets(environment) == {
        "OTEL_EXPORTER_OTLP_HEADERS Authorization": "dXNlcjpwYXNz",
        "OTEL_EXPORTER_OTLP_HEADERS x-scope": "tenant-7",
        "password of HTTPS_PROXY": "proxy-pass",
        "PGPASSWORD": "pg-password",
        "GRAFANA_API_KEY": "graf-0123",
    }


def test_a_value_of_the_environment_that_the_settings_did_not_take_is_known_as_well(secrets):
    environment = {"OPS_TOKEN": "from-the-environment"}

    assert set(secrets(environment, ops_token=SecretStr("from-dotenv-1")).values()) == {
        "from-the-environment",
        "from-dotenv-1",
    }
