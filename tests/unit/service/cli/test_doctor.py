import socket

import pytest
from sqlalchemy import text

from service.cli import doctor, review_access
from service.cli.doctor import FAIL, OK, SKIPPED, Finding, run_checks
from service.database.schedule_tables import JobSuspensionRow
from service.integrations.http.errors import SubscriptionMissing, Unauthorized
from telemetry.database import transaction
from tests.support.fakes import NOON
from tests.support.job_runs import started
from tests.support.loopback import loopback, response
from tests.support.spools import leave_spool


def found(runtime, until=None):
    """The findings by their name, up to and with the one that is wanted: the later checks do not run."""
    findings = {}
    for finding in run_checks(runtime):
        findings.setdefault(finding.name, finding)
        if finding.name == until:
            break
    return findings


def test_where_everything_works_each_check_is_a_line_that_says_so(runtime_of, tmp_path):
    findings = found(runtime_of())

    well = [finding for finding in findings.values() if finding.mark != SKIPPED]
    assert {finding.name: finding.mark for finding in well} == dict.fromkeys(
        (
            "configuration",
            "directory DATA_DIR",
            "directory LOG_DIR",
            "permissions",
            "OTLP",
            "database",
            "migrations",
            "backups",
            "job runs",
            "run markers",
            "alerts",
            "telemetry: request",
            "telemetry: query",
            "telemetry: call",
            "telemetry: job",
            "telemetry: log",
        ),
        OK,
    )
    assert findings["directory LOG_DIR"].sentence == f"{tmp_path}/var/log is writable"
    assert findings["OTLP"].sentence == "not configured"
    assert not list((tmp_path / "var").glob(".doctor-*"))


def test_a_file_that_others_may_read_is_named_with_what_to_do(runtime_of, tmp_path):
    runtime = runtime_of()
    (tmp_path / "var" / "old.db").write_text("from before")
    (tmp_path / "var" / "old.db").chmod(0o644)

    finding = found(runtime, "permissions")["permissions"]

    assert finding.mark == FAIL
    assert f"{tmp_path}/var/old.db: chmod -R go= " in finding.sentence


def test_a_file_in_place_of_the_directory_of_run_markers_is_named_with_what_to_do(runtime_of, tmp_path):
    (tmp_path / "var/instances").mkdir(parents=True, exist_ok=True)
    (tmp_path / "var/instances/running").touch()

    finding = found(runtime_of(), "run markers")["run markers"]

    assert finding.mark == FAIL
    assert (
        f"{tmp_path}/var/instances/running cannot be written (File exists). Remove what is in its place"
        in finding.sentence
    )


def test_job_runs_that_wait_for_another_database_are_named(runtime_of, tmp_path):
    leave_spool(tmp_path / "var" / "spool" / "job_runs", started(1), database="postgresql://host/other")

    finding = found(runtime_of(), "job runs")["job runs"]

    assert finding.mark == FAIL
    assert "job runs for another database, postgresql://host/other, and not for " in finding.sentence


def test_what_is_not_configured_is_told_and_is_not_wrong(runtime_of, without_selftest):
    findings = found(runtime_of())

    left_out = {finding.name: finding.sentence for finding in findings.values() if finding.mark == SKIPPED}
    assert left_out["Wildberries"] == "not configured: set WB_API_TOKEN"
    assert {"Ozon", "OpenAI", "Telegram"} <= set(left_out)


@pytest.mark.parametrize(
    ("error", "off", "mark", "sentence"),
    [
        (None, False, OK, "can be read"),
        (
            None,
            True,
            OK,
            "can be read; sync_ozon_reviews is still switched off: `run-job sync_ozon_reviews` switches it on",
        ),
        (
            SubscriptionMissing("Buy it."),
            True,
            SKIPPED,
            "sync_ozon_reviews is switched off, and retried daily: Buy it.",
        ),
        (Unauthorized("Another key."), False, FAIL, "Another key."),
    ],
)
def test_reviews_of_ozon_may_be_missing_from_the_subscription(runtime_of, monkeypatch, error, off, mark, sentence):
    runtime = runtime_of(ozon_client_id="1", ozon_api_key="a-key-of-ozon")
    monkeypatch.setattr(review_access, "check_review_access", raising(error))
    monkeypatch.setattr(doctor, "describe_key", lambda _client, _now: "")
    if off:
        with transaction(runtime.engine) as session:
            session.add(JobSuspensionRow(job_name="sync_ozon_reviews", reason="Buy it.", since=NOON, retry_at=NOON))

    finding = found(runtime, "Ozon reviews")["Ozon reviews"]

    assert (finding.mark, finding.sentence) == (mark, sentence)


def raising(error):
    def check(_client):
        if error:
            raise error

    return check


def test_a_finding_is_a_line_in_columns():
    assert str(Finding(FAIL, "database", "Connection refused")) == "FAIL  database             Connection refused"
    assert str(Finding(SKIPPED, "OTLP", "why")) == "-     OTLP                 why"


@pytest.mark.parametrize(
    ("settings", "mark"),
    [
        ({"environment": "production", "host": "0.0.0.0"}, FAIL),
        ({"environment": "production", "host": "0.0.0.0", "ops_token": "12345678"}, OK),
        ({"environment": "production"}, OK),
        ({"host": "0.0.0.0"}, OK),
    ],
)
def test_an_operations_api_that_is_open_to_the_world_in_production_is_wrong(runtime_of, settings, mark):
    finding = found(runtime_of(**settings), "configuration")["configuration"]

    assert finding.mark == mark
    assert mark == OK or "OPS_TOKEN is not set" in finding.sentence


def test_a_directory_that_cannot_be_written_is_wrong(runtime_of, tmp_path):
    (tmp_path / "file").touch()

    finding = found(runtime_of(log_dir=tmp_path / "file"), "directory LOG_DIR")["directory LOG_DIR"]

    assert (finding.mark, finding.sentence) == (
        FAIL,
        f"{tmp_path}/file cannot be written (File exists): create it, or give this user write permission.",
    )


def test_a_job_is_not_tried_where_its_table_is_missing(runtime_of, without_selftest, tmp_path):
    findings = found(runtime_of(database_url=f"sqlite:///{tmp_path}/empty.db"))

    assert findings["telemetry: job"].mark == SKIPPED
    assert findings["telemetry: job"].sentence == "skipped: needs migrations"
    assert findings["telemetry: query"].mark == OK


def test_a_database_that_is_not_migrated_is_wrong(runtime_of, tmp_path):
    findings = found(runtime_of(database_url=f"sqlite:///{tmp_path}/empty.db"), "migrations")

    assert findings["database"].mark == OK
    assert findings["migrations"].mark == FAIL
    assert findings["migrations"].sentence == "migrations are missing: run `alembic upgrade head`"


def test_a_database_that_does_not_answer_is_wrong_and_its_password_is_not_told(runtime_of):
    findings = found(runtime_of(database_url="postgresql://seller:hunter2@127.0.0.1:1/sovani"), "migrations")

    assert str(findings["database"]) == (
        "FAIL  database             postgresql+psycopg://seller:***@127.0.0.1:1/sovani cannot be used (Connection refused): "
        "check DATABASE_URL and the server."
    )
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize(
    ("version", "mark", "sentence"),
    [
        ("99.1 (Debian 99.1-1)", OK, "available: pg_dump 99.1 of PostgreSQL "),
        ("9.6.24", FAIL, "pg_dump is older (9.6.24) than the server ("),
        ("of somebody else's", FAIL, "This is no version of PostgreSQL: "),
        (None, FAIL, "pg_dump is not on the PATH: install PostgreSQL's client programs."),
    ],
)
def test_who_makes_the_backups_of_postgresql_is_looked_at_by_day(
    runtime_of, postgres_engine, monkeypatch, tmp_path, version, mark, sentence
):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    if version:
        for name in ("pg_dump", "pg_restore"):
            (programs / name).write_text(f'#!/bin/sh\necho "{name} (PostgreSQL) {version}"\n')
            (programs / name).chmod(0o755)

    url = postgres_engine.url.render_as_string(hide_password=False)
    finding = found(runtime_of(database_url=url), "backups")["backups"]

    assert finding.mark == mark
    assert finding.sentence.startswith(sentence)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_an_otlp_endpoint_that_listens_is_ok(runtime_of, monkeypatch, listener, scheme):
    runtime = runtime_of()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{scheme}127.0.0.1:{listener}")

    finding = found(runtime, "OTLP")["OTLP"]

    assert (finding.mark, finding.sentence) == (OK, f"{scheme}127.0.0.1:{listener} accepts connections")


def test_an_otlp_endpoint_that_refuses_is_a_failure(runtime_of, monkeypatch):
    runtime = runtime_of()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://127.0.0.1:1")

    assert str(found(runtime, "OTLP")["OTLP"]) == (
        "FAIL  OTLP                 http://127.0.0.1:1 cannot be reached (Connection refused): "
        "start the Collector, or correct OTEL_EXPORTER_OTLP_ENDPOINT."
    )


def test_signals_that_are_not_to_go_anywhere_are_not_looked_for(runtime_of, monkeypatch):
    runtime = runtime_of()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")

    assert found(runtime, "OTLP")["OTLP"].sentence == "not configured"


def test_an_instrumentation_that_emits_nothing_is_told(runtime_of, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    finding = found(runtime_of())["telemetry: log"]

    assert (finding.mark, finding.sentence) == (
        FAIL,
        'errors_total{error_type="log",component="selftest"} did not grow: nothing was measured.',
    )


def test_a_table_that_takes_no_run_is_told(runtime_of, without_selftest, sqlite_engine):
    with sqlite_engine.begin() as connection:
        connection.execute(text("CREATE TRIGGER full BEFORE INSERT ON job_runs BEGIN SELECT RAISE(ABORT, 'full'); END"))

    finding = found(runtime_of(), "telemetry: job")["telemetry: job"]

    assert finding.mark == FAIL


def test_each_named_channel_of_alerts_is_a_line(runtime_of, without_selftest):
    with loopback() as server:
        server.script = lambda request: response("OK" if request.path == "/-/ready" else "", 200)
        settings = {"alertmanager_url": server.url, "pagerduty_routing_key": "0" * 32}

        findings = found(runtime_of(**settings, alert_channels="alertmanager:error,pagerduty:error"))

    assert (findings["channel alertmanager"].mark, findings["channel pagerduty"].mark) == (OK, OK)
    assert findings["alerts"].sentence == "delivery enabled (alertmanager, pagerduty)"
    assert findings["channel alertmanager"].sentence == "Alertmanager is ready"
    assert findings["channel pagerduty"].sentence == "configured; the credentials are tried with the first alert"


def test_a_channel_that_refuses_fails_with_its_own_words(runtime_of):
    with loopback() as server:
        server.script = lambda _request: response({"ok": False, "error": "token_revoked"})
        settings = {"slack_api_url": server.url, "slack_bot_token": "xoxb-123456", "slack_channel_id": "C012345"}

        finding = found(runtime_of(**settings, alert_channels="slack:error"), "channel slack")["channel slack"]

    assert (finding.mark, finding.sentence) == (FAIL, "slack refuses (token_revoked)")
