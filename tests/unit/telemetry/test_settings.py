import os
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from pydantic import ValidationError

from telemetry.redaction.shown_settings import without_password
from telemetry.settings import SettingsError, TelemetrySettings


def read(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return TelemetrySettings.read()


def refusal(monkeypatch, **variables):
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, **variables)
    return str(refused.value)


# variable, field, default, good values with what they become, bad values, what is allowed
CONTRACT = [
    (
        "DATABASE_URL",
        "database_url",
        "sqlite:///var/app.db",
        {
            "sqlite:////tmp/x.db": "sqlite:////tmp/x.db",
            "postgresql+psycopg://u:p@h:5432/d": "postgresql+psycopg://u:p@h:5432/d",
            "postgresql://u:p@h/d": "postgresql+psycopg://u:p@h/d",
            "postgresql://h/d?prepare_threshold=none": "postgresql+psycopg://h/d?prepare_threshold=none",
        },
        [
            "app.db",
            "mysql://h/d",
            "postgresql+asyncpg://h/d",
            "sqlite+aiosqlite:///x.db",
            "postgresql://h:port/d",
        ],
        "a database URL such as sqlite:///var/app.db or postgresql+psycopg://user:password@host/name",
    ),
    (
        "DATABASE_PREPARED_STATEMENTS",
        "database_prepared_statements",
        True,
        {"false": False, "0": False, "TRUE": True},
        ["none", "5"],
        "true or false: false behind a pooler in transaction mode, such as PgBouncer",
    ),
    (
        "ENVIRONMENT",
        "environment",
        "development",
        {"production": "production", "eu-1.staging": "eu-1.staging"},
        ["a word", 'quo"te', "-x", "a\nb"],
        "a short word such as development or production",
    ),
    (
        "LOG_LEVEL",
        "log_level",
        "INFO",
        {"DEBUG": "DEBUG", "warning": "WARNING", "Error": "ERROR"},
        ["VERBOSE", "10"],
        "one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
    ),
    (
        "ENABLE_JSON_LOGGING",
        "enable_json_logging",
        False,
        {"true": True, "1": True, "FALSE": False, "no": False},
        ["maybe", "2"],
        "true or false",
    ),
    *(
        (
            f"ALERT_THRESHOLD_{what}",
            f"alert_threshold_{what.lower()}",
            90,
            {"1": 1, "100": 100},
            ["0", "101", "-1", "90%", "90.5", "much"],
            "a whole percentage from 1 to 100",
        )
        for what in ("DISK", "MEMORY")
    ),
    (
        "ALERT_THRESHOLD_JOB_FAILURES",
        "alert_threshold_job_failures",
        3,
        {"1": 1, "1000": 1000},
        ["0", "-1", "three"],
        "a whole number from 1: failures in a row",
    ),
    (
        "JOB_RUNS_KEEP_DAYS",
        "job_runs_keep_days",
        90,
        {"1": 1, "3650": 3650},
        ["0", "1.5", "x"],
        "a whole number of days from 1",
    ),
    ("METRICS_NAMES", "metrics_names", "service", {"otel": "otel"}, ["plain", "OTEL"], "service or otel"),
    (
        "OTEL_TRACES_SAMPLER",
        "otel_traces_sampler",
        "parentbased_traceidratio",
        {"always_on": "always_on", "always_off": "always_off", "traceidratio": "traceidratio"},
        ["seldom", "ALWAYS"],
        "one of always_off, always_on, parentbased_always_off, parentbased_always_on, parentbased_traceidratio, traceidratio",
    ),
    (
        "OTEL_TRACES_SAMPLER_ARG",
        "otel_traces_sampler_arg",
        1.0,
        {"0": 0.0, "0.5": 0.5, "1": 1.0},
        ["1.1", "-0.1", "half", "nan", "inf"],
        "a share from 0 to 1",
    ),
]


@pytest.mark.parametrize(("field", "default"), [(row[1], row[2]) for row in CONTRACT])
def test_a_variable_that_is_not_set_has_the_default_of_the_contract(field, default):
    assert getattr(TelemetrySettings.read(), field) == default


@pytest.mark.parametrize(
    ("variables", "share"),
    [
        ({"ENVIRONMENT": "production"}, 0.1),
        ({"ENVIRONMENT": " production "}, 0.1),
        ({"ENVIRONMENT": "production", "OTEL_TRACES_SAMPLER_ARG": ""}, 0.1),
        ({"ENVIRONMENT": "production", "OTEL_TRACES_SAMPLER_ARG": "1"}, 1.0),
        ({"ENVIRONMENT": "production", "OTEL_TRACES_SAMPLER_ARG": "0"}, 0.0),
        ({"ENVIRONMENT": "production-sandbox"}, 1.0),
        ({"ENVIRONMENT": "staging", "OTEL_TRACES_SAMPLER_ARG": "0.2"}, 0.2),
        ({"ENVIRONMENT": ""}, 1.0),
    ],
)
def test_a_share_of_the_requests_is_traced_in_production_and_else_all(monkeypatch, variables, share):
    assert read(monkeypatch, **variables).otel_traces_sampler_arg == share


@pytest.mark.parametrize(
    ("variable", "field", "text", "value"),
    [(variable, field, text, value) for variable, field, _, good, *_ in CONTRACT for text, value in good.items()],
)
def test_a_good_value_is_taken(monkeypatch, variable, field, text, value):
    settings = read(monkeypatch, **{variable: text})

    assert getattr(settings, field) == value
    assert type(getattr(settings, field)) is type(value)


def test_a_bad_parameter_of_the_database_is_one_line(monkeypatch):
    said = refusal(monkeypatch, DATABASE_URL="postgresql://h/d?prepare_threshold=-1")

    assert said.startswith("DATABASE_URL is 'postgresql://***', but must be a database URL such as")


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [(variable, text, allowed) for variable, _, _, _, bad, allowed in CONTRACT for text in bad],
)
def test_a_bad_value_is_one_line_that_says_what_it_is_and_what_it_may_be(monkeypatch, variable, text, allowed):
    assert refusal(monkeypatch, **{variable: text}) == f"{variable} is {text!r}, but must be {allowed}."


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ENVIRONMENT", "x" * 64),
        ("ENVIRONMENT", "kanarie token"),
        ("LOG_LEVEL", "7766554433:AAKanarie_Telegram-0aB1cD2eF3gH4iJ5kL6m"),
        ("JOB_RUNS_KEEP_DAYS", "kanarieSecret42"),
        ("OTEL_TRACES_SAMPLER_ARG", "correct-horse-battery"),
        ("MANAGER_CHAT_ID", "Kanarie Secret"),
        ("DATABASE_URL", "kanarieSecret42"),
        ("DATABASE_URL", "postgresql://shop:kanarieSecret42"),
        ("DATABASE_URL", "postgresql://shop:kanarieSecret42/shop"),
        ("DATABASE_URL", "postgres:shop:kanarieSecret42"),
        ("DATABASE_URL", "host=db user=shop password=kanarieSecret42 dbname=shop"),
        ("DATABASE_URL", "mssql+pyodbc:///?odbc_connect=PWD%3DkanarieSecret42"),
        ("TELEGRAM_API_URL", "7766554433:AAKanarie_Telegram-0aB1cD2eF3gH4iJ5kL6m"),
        ("TRACE_URL_TEMPLATE", "https://u:kanarieSecret42@traces.example"),
    ],
)
def test_a_secret_in_the_wrong_variable_is_not_repeated(monkeypatch, variable, text):
    value = refusal(monkeypatch, **{variable: text}).partition(", but must be ")[0].lower()

    assert [part for part in ("kanarie", "secret", "xxx", "horse") if part in value] == []


@pytest.mark.parametrize("variable", [row[0] for row in CONTRACT])
def test_an_empty_value_is_none(monkeypatch, variable):
    assert read(monkeypatch, **{variable: ""}) == TelemetrySettings.read()


def test_directories_have_the_defaults_of_the_contract(monkeypatch):
    for name in ("DATA_DIR", "LOG_DIR"):
        monkeypatch.delenv(name)

    settings = TelemetrySettings.read()

    assert (settings.data_dir, settings.log_dir) == (Path("var"), Path("var/log"))


def test_directories_are_paths(monkeypatch):
    settings = read(monkeypatch, DATA_DIR="/srv/data", LOG_DIR="logs")

    assert (settings.data_dir, settings.log_dir) == (Path("/srv/data"), Path("logs"))


def test_each_wrong_variable_has_its_line(monkeypatch):
    lines = refusal(monkeypatch, LOG_LEVEL="LOUD", METRICS_NAMES="mine").splitlines()

    assert [line.split()[0] for line in lines] == ["LOG_LEVEL", "METRICS_NAMES"]


def test_a_secret_that_is_wrong_is_not_repeated(monkeypatch):
    assert refusal(monkeypatch, OPS_TOKEN="hush") == (
        "OPS_TOKEN is (hidden), but must be a secret of at least 8 characters; without it the operations API is open."
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql://root:hidden@db.example/orders", "mysql://***@db.example/orders"),
        ("mysql://root:hid@den@db.example/orders", "mysql://***@db.example/orders"),
        ("root:hidden@db.example", "***@db.example"),
        (
            "mysql://db.example/orders?user=root&password=hidden&ssl=1",
            "mysql://db.example/orders?user=root&password=***&ssl=1",
        ),
        ("postgresql://root:hidden@db.example:port/orders", "postgresql://***@db.example:port/orders"),
        ("plain", "plain"),
    ],
)
def test_a_url_that_is_wrong_is_shown_without_its_password(monkeypatch, url, shown):
    line = refusal(monkeypatch, DATABASE_URL=url)

    assert line.startswith(f"DATABASE_URL is {shown!r}, but must be ")
    assert "hid" not in line
    assert without_password(url) == shown


def test_no_secret_is_in_what_settings_say_of_themselves(monkeypatch):
    settings = read(monkeypatch, OPS_TOKEN="hidden-token", DATABASE_URL="postgresql://u:hidden@h/d")
    said = [
        repr(settings),
        str(settings),
        repr(settings.url),
        str(settings.url),
        settings.model_dump_json(exclude={"database_url"}),
    ]

    assert "hidden" not in "".join(said)
    assert settings.ops_token.get_secret_value() == "hidden-token"
    assert settings.url.password == "hidden"


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        TelemetrySettings.read().log_level = "DEBUG"


def test_a_file_says_what_the_environment_does_not(monkeypatch):
    Path(".env").write_text("LOG_LEVEL=ERROR\nENVIRONMENT=staging\nNOBODY_KNOWS=1\n")
    monkeypatch.setattr(os, "environ", os.environ.copy())

    settings = TelemetrySettings.read()

    assert (settings.log_level, settings.environment) == ("ERROR", "staging")


def test_the_environment_wins_over_the_file(monkeypatch):
    Path(".env").write_text("LOG_LEVEL=ERROR\n")

    assert read(monkeypatch, LOG_LEVEL="DEBUG").log_level == "DEBUG"


def test_a_wrong_value_in_the_file_is_named_as_well(monkeypatch):
    Path(".env").write_text("LOG_LEVEL=LOUD\n")
    monkeypatch.setattr(os, "environ", os.environ.copy())

    assert refusal(monkeypatch).startswith("LOG_LEVEL is 'LOUD'")


def test_what_the_file_says_to_opentelemetry_reaches_its_sdk(monkeypatch):
    Path(".env").write_text("OTEL_BSP_SCHEDULE_DELAY=1234\n")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "")
    monkeypatch.delenv("OTEL_BSP_SCHEDULE_DELAY")

    TelemetrySettings.read()

    assert os.environ["OTEL_BSP_SCHEDULE_DELAY"] == "1234"


def test_a_sampler_that_a_package_brings_is_one(monkeypatch):
    theirs = EntryPoint("vendor", "vendor:Sampler", "opentelemetry_traces_sampler")
    monkeypatch.setattr(
        "telemetry.environment.checked_values.entry_points", lambda **wanted: EntryPoints([theirs]).select(**wanted)
    )

    assert read(monkeypatch, OTEL_TRACES_SAMPLER="vendor").otel_traces_sampler == "vendor"


def test_a_misspelled_name_in_the_file_is_one_line():
    Path(".env").write_text("OPS_TOKN=canary-12345\n")

    with pytest.raises(SettingsError) as refused:
        TelemetrySettings.read()

    assert str(refused.value) == "OPS_TOKN is unknown: did you mean OPS_TOKEN?"
    assert "OPS_TOKN" not in os.environ


def test_a_variable_of_an_application_that_resembles_ours_is_its_own(monkeypatch):
    assert read(monkeypatch, DATABASE_URI="sqlite:///theirs.db")


@pytest.mark.parametrize("text", ["hidden-token\n", " hidden-token", "\thidden-token\r\n"])
def test_a_secret_is_without_the_white_space_around_it(monkeypatch, text):
    assert read(monkeypatch, OPS_TOKEN=text).ops_token.get_secret_value() == "hidden-token"


def test_white_space_alone_is_no_secret(monkeypatch):
    assert refusal(monkeypatch, OPS_TOKEN=" " * 20).startswith("OPS_TOKEN is (hidden), but must be")


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d?prepare_threshold=none"),
        ("postgresql+psycopg://h/d?prepare_threshold=3", "postgresql+psycopg://h/d?prepare_threshold=3"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_without_prepared_statements_the_url_says_so(monkeypatch, url, becomes):
    settings = read(monkeypatch, DATABASE_URL=url, DATABASE_PREPARED_STATEMENTS="false")

    assert str(settings.url) == becomes
    assert settings.database_url == url
