"""Parts of the telemetry that are off: no thread, no file, no transaction; and what a second start says."""

import logging
import threading

import pytest
from sqlalchemy import event, inspect
from sqlalchemy.exc import OperationalError

from telemetry import create_tables, setup
from telemetry.alerts import get_alert_service
from telemetry.database import create_engine
from telemetry.jobs import Base, monitor_job
from telemetry.options import TelemetryOptions
from telemetry.settings import TelemetrySettings
from tests.support.sqlite import rows

THREADS_OF_JOBS = ("job", "looking-after")
THREADS_OF_ALERTS = ("alert", "telling", "watching")


@pytest.fixture(autouse=True)
def _shut_down():
    yield
    setup.shutdown()


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    yield engine
    setup.shutdown()  # first: its threads use the engine
    engine.dispose()


def started_threads(*, before):
    return {thread.name for thread in threading.enumerate() if thread not in before}


def run_job_and_log():
    with monitor_job("count_eggs") as run:
        run.metadata["eggs"] = 6
    logging.getLogger("farm").error("an egg is broken")


def test_without_jobs_and_alerts_there_is_no_thread_of_theirs_and_no_file_and_no_query(tmp_path, monkeypatch):
    before, statements = threading.enumerate(), []

    running = setup.start(jobs=False, alerts=False, logs=False)
    event.listen(running.engine, "do_connect", lambda *_: statements.append("connected"))
    run_job_and_log()
    page = running.metrics.page.render()[0].decode()
    names = started_threads(before=before)
    setup.shutdown()

    assert not [name for name in names if name.startswith((*THREADS_OF_JOBS, *THREADS_OF_ALERTS))], names
    assert {path.name for path in (tmp_path / "var").rglob("*") if path.is_file()} <= {"0.lock", "directory-id"}
    assert statements == []
    assert 'scheduler_jobs_total{job_name="count_eggs",status="success"} 1' in page
    assert 'errors_total{error_type="log",component="farm"} 1' in page


def test_the_variables_choose_the_parts_and_the_arguments_take_precedence(monkeypatch, tmp_path):
    monkeypatch.setenv("TELEMETRY_JOBS", "false")
    monkeypatch.setenv("TELEMETRY_ALERTS", "false")

    running = setup.start(alerts=True)

    assert (running.jobs.is_on, running.alerts.is_on) == (False, True)


def test_without_jobs_alerts_go_on_and_nothing_touches_the_database(tmp_path):
    running = setup.start(jobs=False)
    run_job_and_log()
    setup.shutdown()

    assert not (tmp_path / "var/app.db").exists()
    assert not (tmp_path / "var/spool").exists()
    assert rows(tmp_path / "var/alerts/outbox.db", "SELECT words FROM incidents") == [("an egg is broken",)]
    assert running.engine.url.database == "var/app.db"


def test_without_alerts_jobs_go_on(engine, tmp_path):
    create_tables(engine)

    setup.start(engine=engine, alerts=False)
    run_job_and_log()
    get_alert_service().report("nobody is told")
    setup.shutdown()

    assert rows(tmp_path / "own.db", "SELECT job_name, status FROM job_runs") == [("count_eggs", "success")]
    assert not (tmp_path / "var/alerts").exists()


def test_the_tables_are_created_once_by_several_processes_at_once(engine):
    threads = [threading.Thread(target=create_tables, args=(engine,)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(inspect(engine).get_table_names()) == set(Base.metadata.tables)
    create_tables(engine)


def test_whoever_meets_others_at_each_table_still_creates_the_rest(engine, monkeypatch):
    tables = Base.metadata.sorted_tables
    create_all = Base.metadata.create_all

    def meet(_engine):
        missing = [table for table in tables if table.name not in inspect(engine).get_table_names()]
        if missing:  # another process creates it just now
            missing[0].create(engine)
            raise OperationalError("CREATE TABLE", {}, Exception("it already exists"))
        create_all(engine)

    monkeypatch.setattr(Base.metadata, "create_all", meet)
    monkeypatch.setattr("telemetry.jobs.store.tables._ATTEMPTS", 1)

    create_tables(engine)

    assert set(inspect(engine).get_table_names()) == set(Base.metadata.tables)


def test_a_database_that_refuses_tables_is_not_asked_for_ever(engine, monkeypatch):
    asked = []

    def refuse(_engine):
        asked.append(1)
        raise OperationalError("CREATE TABLE", {}, Exception("permission denied"))

    monkeypatch.setattr(Base.metadata, "create_all", refuse)

    with pytest.raises(OperationalError, match="permission denied"):
        create_tables(engine)
    assert len(asked) == 5


def test_missing_tables_are_one_warning_and_a_stop_does_not_wait_for_them(engine, caplog):
    running = setup.start(engine=engine)

    for _ in range(3):
        run_job_and_log()
    running.jobs.reaper.run_once()
    late = running.shutdown(600)

    warnings = [line for line in caplog.messages if "table" in line]
    assert len(warnings) == 1
    assert "telemetry.create_tables(engine)" in warnings[0]
    assert late == []  # in less than the 120 seconds of this test, though 600 were given


def test_runs_that_waited_for_the_tables_are_written_by_the_next_process(engine, tmp_path):
    setup.start(engine=engine)
    run_job_and_log()
    setup.shutdown()
    create_tables(engine)

    setup.start(engine=engine).jobs.reaper.run_once()
    setup.shutdown()

    assert rows(tmp_path / "own.db", "SELECT job_name, status FROM job_runs") == [("count_eggs", "success")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, ""),
        ({"jobs": True, "alerts": True}, ""),
        ({"options": TelemetryOptions(untraced_paths=("/healthz",))}, ""),
        ({"jobs": False}, "jobs"),
        ({"settings": TelemetrySettings(log_level="DEBUG")}, "settings"),
        ({"engine": create_engine("sqlite://"), "alerts": False}, "engine, alerts"),
    ],
)
def test_a_second_start_says_which_of_its_arguments_have_no_effect(engine, caplog, arguments, said):
    first = setup.start(engine=engine)

    assert setup.start(**arguments) is first

    lines = [line for line in caplog.messages if "runs already" in line]
    assert lines == ([f"The telemetry runs already: telemetry.start() ignores its {said}."] if said else [])
