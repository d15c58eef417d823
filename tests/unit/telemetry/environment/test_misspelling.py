import pytest

from service.settings import Settings
from telemetry.environment.misspelling import misspelled, misspelled_among_foreign

KNOWN = {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OPS_TOKN", "OPS_TOKEN"),
        ("OSP_TOKEN", "OPS_TOKEN"),
        ("OPSTOKEN", "OPS_TOKEN"),
        ("OPS-TOKEN", "OPS_TOKEN"),
        ("ops_tokn", "OPS_TOKEN"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("DATBASE_ULR", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("PROT", "PORT"),
        ("PORTS", "PORT"),
        ("SHEDULER", "SCHEDULER"),
        ("TELEGRAM_TOKENS", "TELEGRAM_TOKEN"),
        ("WB_API_TOKE", "WB_API_TOKEN"),
        ("ENABLE_JSON_LOGING", "ENABLE_JSON_LOGGING"),
    ],
)
def test_a_name_that_resembles_one_of_ours_is_misspelled(name, meant):
    assert dict(misspelled([name], KNOWN)) == {name: meant}


@pytest.mark.parametrize(
    "name",
    [
        *sorted(KNOWN),
        *("log_level", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD", "PGHOST", "PGPORT", "HOSTNAME", "HOME", "PATH", "PWD"),
        *("HTTP_PROXY", "OTEL_TRACES_EXPORTER", "OTEL_BSP_SCHEDULE_DELAY", "OPENAI_ORG_ID", "TZ", "LANG", "LC_ALL"),
    ],
)
def test_another_name_is_not(name):
    assert list(misspelled([name], KNOWN)) == []


def test_among_the_variables_of_others_only_a_near_miss_counts_whose_right_name_is_unset():
    names = ["OPS_TOKN", "OPS_TKN", "POST", "LOG_LEVL", "LOG_LEVEL", "DATA_DIR"]

    assert dict(misspelled_among_foreign(names, KNOWN)) == {"OPS_TOKN": "OPS_TOKEN"}
