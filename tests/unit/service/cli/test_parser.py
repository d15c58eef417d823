"""The commands, run in this process; tests/integration runs them as programs."""

import io
import os
import re
import signal
import socket
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import service.main
from service.cli import database
from service.cli import jobs as cli_jobs
from service.cli.parser import main
from service.integrations.http.errors import Rejected
from service.jobs.schedule import JOBS
from service.scheduler.cadence import Every
from service.scheduler.claims import Claims
from service.scheduler.job import Job
from telemetry import setup
from telemetry.database import create_engine
from telemetry.jobs.store.runs import JobRunRepository
from tests.support.job_runs import started

SERVE_VARIABLES = ("HOST", "PORT", "SCHEDULER")


@pytest.fixture
def run(monkeypatch):
    """Runs `python -m service …`, and says with which code it ends."""
    for name in SERVE_VARIABLES:  # a command leaves them in the environment, for the workers
        monkeypatch.setenv(name, "")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["service", *arguments])
        try:
            return main()
        except SystemExit as stop:
            return stop.code

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    setup.shutdown()
    vars(service.main).pop("app", None)


@pytest.fixture
def migrated(sqlite_engine, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", sqlite_engine.url.render_as_string())
    return JobRunRepository(sqlite_engine)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Signal:
    """Sends this process a signal as soon as what it waits for is so."""

    def __init__(self, number, ready):
        self._number, self._ready = number, ready
        self.sent = False
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._thread.join(30)

    def _send(self):
        end = time.monotonic() + 30
        while not self._ready() and time.monotonic() < end:
            time.sleep(0.01)
        self.sent = True
        os.kill(os.getpid(), self._number)


def test_the_version_is_printed(run, capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == "sovani 0.1.0\n"


def test_without_a_command_the_commands_are_listed(run, capsys):
    assert run() == 2
    assert "COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize("workers", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_makes_no_sense_is_refused_with_a_sentence(run, capsys, workers):
    assert run("serve", f"--workers={workers}") == 2
    assert f"'{workers}' is invalid: expected a whole number from 1" in capsys.readouterr().err


def test_a_wrong_variable_ends_a_command_with_the_line_that_names_it(run, monkeypatch, capsys):
    monkeypatch.setenv("PORT", "70000")

    assert run("serve") == 1
    assert capsys.readouterr().err == "PORT is '70000', but must be a port from 0 to 65535.\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"SANDBOX=true\nOPS_TOKEN canary-12345", ".env, line 2 cannot be parsed: expected NAME=value."),
        (b"OPS_TOKN=canary-12345", "OPS_TOKN is unknown: did you mean OPS_TOKEN?"),
        ("OPS_TOKEN=canary-12345".encode("utf-16"), ".env is UTF-16: save it as UTF-8."),
    ],
)
def test_a_file_that_is_not_right_ends_a_command_with_one_line(run, capsys, content, line):
    Path(".env").write_bytes(content)

    assert run("jobs") == 1

    assert capsys.readouterr() == ("", f"{line}\n")


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_port_that_is_taken_is_one_line_that_says_what_to_do(run, capsys, family, host):
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert run("serve", "--host", host, "--port", str(port)) == 1

    assert capsys.readouterr().err == (
        f"Cannot listen on {host}:{port} (Address already in use): choose another with --port, or PORT in .env.\n"
    )


def test_serve_says_what_runs_serves_and_ends_at_ctrl_c(run, migrated, capsys):
    port = free_port()

    def ready():
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    with Signal(signal.SIGINT, ready):
        code = run("serve", "--port", str(port), "--workers", "1", "--no-scheduler")

    assert code in {0, 130}
    assert f"http://127.0.0.1:{port}/docs" in (said := capsys.readouterr().out)
    assert "Scheduler  off in this process" in said
    assert setup.current() is None


def test_a_job_without_a_database_is_one_line(run, monkeypatch, capsys):
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://anna:secret@127.0.0.1:9/shop")

    assert run("run-job", "check_resources") == 1

    said = capsys.readouterr().err
    assert "check_resources failed: the database cannot be used: Connection refused.\n" in said
    assert "sqlalche.me" not in said
    assert "anna" not in said


def test_the_scheduler_alone_says_what_it_runs_and_stops_when_it_is_told_to(run, migrated, capsys):
    before = signal.getsignal(signal.SIGTERM)

    with Signal(signal.SIGTERM, lambda: signal.getsignal(signal.SIGTERM) is not before):
        code = run("scheduler")

    assert code == 0
    assert capsys.readouterr().out.startswith("Scheduler: check_resources every 1 min, cleanup_logs daily at 02:40 UTC")
    assert setup.current() is None


def test_jobs_lists_the_schedule_with_last_and_next_runs(run, migrated, capsys):
    assert run("run-job", "check_resources") == 0
    capsys.readouterr()

    assert run("jobs") == 0

    head, first, *others = capsys.readouterr().out.splitlines()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert head.split() == ["JOB", "SCHEDULE", "LAST", "RUN", "STATUS", "MISSED", "IN", "24", "H", "NEXT", "RUN"]
    assert re.fullmatch(rf"check_resources +every 1 min +{moment}  success +- +{moment}", first)
    assert [line.split()[0] for line in others] == [job.name for job in JOBS[1:]]
    assert any(line.endswith("WB_API_TOKEN is not set.") for line in others)
    assert all("never" in line for line in others)


def test_jobs_of_a_database_that_is_not_migrated_is_a_line_that_says_what_to_do(run, capsys):
    assert run("jobs") == 1
    assert "The database cannot be read: migrations are missing: run `alembic upgrade head`." in capsys.readouterr().err
    assert setup.current() is None


def test_a_job_that_is_run_by_hand_migrates_first_and_is_recorded_without_a_tick(run, capsys, tmp_path):
    assert run("run-job", "check_resources") == 0

    assert capsys.readouterr().out.startswith("check_resources: success ")
    engine = create_engine(f"sqlite:///{tmp_path}/var/sovani.db")
    [recorded] = JobRunRepository(engine).page()
    engine.dispose()
    assert (recorded.job_name, recorded.status, recorded.scheduled_for) == ("check_resources", "success", None)


def test_a_job_that_fails_is_printed_and_recorded(run, migrated, capsys, tmp_path):
    (tmp_path / "var").mkdir(exist_ok=True)
    (tmp_path / "var" / "backups").touch()  # where a directory has to be

    assert run("run-job", "backup_database") == 1

    assert "backup_database failed: " in capsys.readouterr().err
    assert migrated.latest()["backup_database"].status == "failed"


def test_of_a_sync_that_fails_in_several_sources_each_is_printed(run, migrated, monkeypatch, capsys):
    def failing(_context):
        raise ExceptionGroup("several", [Rejected("ozon.orders.fbs: no role."), Rejected("ozon.orders.fbo: no role.")])

    monkeypatch.setattr(cli_jobs, "JOBS", (Job("sync_orders", Every(timedelta(hours=1)), failing),))

    assert run("run-job", "sync_orders") == 1

    *_log, said = capsys.readouterr().err.splitlines()
    assert said == "sync_orders failed: Rejected: ozon.orders.fbs: no role.; Rejected: ozon.orders.fbo: no role."


class Interrupted(io.StringIO):
    """A terminal at which somebody presses Ctrl-C as soon as something is written."""

    def write(self, _text):
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_without_a_traceback(run, migrated, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Interrupted())

    assert run("jobs") == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_job_that_is_not_there_is_answered_with_those_that_are(run, capsys):
    assert run("run-job", "nobody") == 2
    assert capsys.readouterr().err.startswith("There is no job 'nobody'. There are: backup_database, check_resources")


@pytest.mark.parametrize(
    ("worker", "who"),
    [
        ("shop-1:4711", "in process 4711 on shop-1, since 2025-10-02 12:01:00 UTC, started by hand."),
        ("fe80::1:4711", "in process 4711 on fe80::1, since 2025-10-02 12:01:00 UTC, started by hand."),
        (None, "since a moment ago."),
    ],
)
def test_a_job_that_runs_elsewhere_is_named_with_who_runs_it_and_since_when(
    run, migrated, sqlite_engine, capsys, worker, who
):
    Claims(sqlite_engine).claim_manual_run("check_resources", "another run")
    if worker:
        migrated.write([started(1, job_name="check_resources", worker=worker)])

    assert run("run-job", "check_resources") == 75

    *_log, said = capsys.readouterr().err.splitlines()
    again = "Try again when it has ended; if its process was killed, in 30 s."
    assert said == f"check_resources is running already, {who} {again}"
    assert [row.worker for row in migrated.page()] == [worker] * bool(worker)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("mysql://shop:canary-123@host/shop", "mysql:// is not supported."),
        ("postgresql+asyncpg://shop:canary-123@host/shop", "postgresql+asyncpg:// is not supported."),
        ("postgresql://shop:canary-123@host:port/shop", "The URL is invalid."),
        ("postgresql://shop:canary-123@host/shop?prepare_threshold=often", "The URL is invalid."),
        ("canary-123", "The URL is invalid."),
        ("", "The URL is invalid."),
        ("sqlite://", "A database in memory would end with this command."),
        ("sqlite:///:memory:", "A database in memory would end with this command."),
    ],
)
def test_a_target_that_is_no_database_of_the_service_is_one_line(run, capsys, target, sentence):
    assert run("copy-database", target) == 2

    expected = "Expected sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME."
    assert capsys.readouterr() == ("", f"Not copied. {sentence} {expected}\n")


def test_a_target_without_its_driver_is_one_line(run, migrated, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    assert run("copy-database", "postgresql://shop@127.0.0.1:9/shop") == 1

    halted = "import of psycopg halted; None in sys.modules"
    needed = f"A PostgreSQL database needs the driver psycopg: pip install 'sovani[postgres]' ({halted})."
    assert capsys.readouterr().err == f"{needed}\n"


def test_the_backups_are_listed_with_their_ages_and_sizes(run, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(database, "utcnow", lambda: datetime(2026, 11, 29, 6, 10, tzinfo=UTC))
    backups = tmp_path / "var" / "backups"
    backups.mkdir(parents=True)
    sizes = {
        "sovani-20261129T031000Z.db": 12_400_000,
        "sovani-20261128T031000Z-2.db": 999,
        "sovani-20269999T999999Z.db": 1,
    }
    for name, size in sizes.items():
        with (backups / name).open("wb") as file:
            file.truncate(size)
    os.utime(backups / "sovani-20269999T999999Z.db", (1_800_000_000, 1_795_932_500))

    assert run("restore") == 0

    head, odd, newest, older, next_step = capsys.readouterr().out.splitlines()
    assert head.split() == ["BACKUP", "AGE", "SIZE"]
    assert newest == f"{backups}/sovani-20261129T031000Z.db    3 h ago    12.4 MB"
    assert older == f"{backups}/sovani-20261128T031000Z-2.db  1 d ago    999 bytes"
    assert odd == f"{backups}/sovani-20269999T999999Z.db    1 min ago  1 byte"
    assert next_step.startswith("Restore one: ")
    assert next_step.endswith(f"service restore {backups}/sovani-20269999T999999Z.db")


def test_without_a_backup_the_folder_is_named(run, capsys, tmp_path):
    assert run("restore") == 1
    assert capsys.readouterr().err == f"There is no backup in {tmp_path}/var/backups.\n"


def test_the_doctor_fails_where_something_does_not(run, migrated, capsys, monkeypatch, tmp_path, without_selftest):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "file"))

    assert run("doctor") == 1
    assert "FAIL  directory LOG_DIR    " in capsys.readouterr().out
