"""The commands, as somebody at a terminal gives them."""

import socket
from pathlib import Path

import pytest

from service.jobs.schedule import JOBS
from tests.support.processes import Programs, free_port
from tests.support.sqlite import rows

pytestmark = pytest.mark.e2e


def test_a_job_run_by_hand_is_recorded_though_nothing_is_sampled(programs: Programs):
    done = programs.run("-m", "service", "run-job", "check_resources", OTEL_TRACES_SAMPLER="always_off")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("check_resources: success in ")
    runs = rows(programs.home / "var/sovani.db", "SELECT job_name, status, outcome, finished_at > 0 FROM job_runs")
    assert runs == [("check_resources", "success", "success", 1)]
    database = programs.home / "var/sovani.db"
    [(of_run,)] = rows(database, "SELECT cpu_seconds FROM job_runs")
    of_name = rows(database, "SELECT name, amount FROM cost_days WHERE resource = 'cpu' AND kind = 'job'")
    assert of_name == [("check_resources", pytest.approx(of_run, abs=0.05))]
    assert of_run > 0
    figures = rows(
        programs.home / "var/recent.db",
        "SELECT s.labels, p.value FROM points p JOIN series s ON s.id = p.series JOIN families f ON f.id = p.family "
        "WHERE f.name = 'scheduler_jobs_total' AND p.tier = 10",
    )
    assert figures == [('{"job_name":"check_resources","status":"success"}', 1.0)]


def test_a_job_that_is_not_there_is_answered_with_those_that_are(programs: Programs):
    done = programs.run("-m", "service", "run-job", "nope")

    assert done.returncode == 2
    names = ", ".join(sorted(job.name for job in JOBS))
    assert done.stderr.splitlines() == [f"There is no job 'nope'. There are: {names}."]
    assert done.stdout == ""


def test_each_wrong_variable_is_one_line_that_names_it_and_keeps_its_secret(programs: Programs):
    wrong = {"PORT": "abc", "ALERT_THRESHOLD_DISK": "0", "DATABASE_URL": "mysql://somebody:secret@localhost/shop"}

    done = programs.run("-m", "service", "serve", **wrong)

    assert done.returncode == 1
    assert sorted(line.split()[0] for line in done.stderr.splitlines()) == sorted(wrong)
    assert "secret" not in done.stderr
    assert done.stdout == ""


def test_a_sandbox_in_production_is_refused_with_one_line(programs: Programs):
    done = programs.run("-m", "service", "serve", SANDBOX="true", ENVIRONMENT="production")

    assert done.returncode == 1
    assert done.stderr.splitlines() == ["SANDBOX is true, but must be false when ENVIRONMENT is production."]


def test_uvicorn_stops_with_one_line_too(programs: Programs):
    done = programs.run("-m", "uvicorn", "service.main:app", "--port", str(free_port()), OTEL_TRACES_EXPORTER="zipkin")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("OTEL_TRACES_EXPORTER is 'zipkin', but must be")


def test_a_port_that_is_taken_is_one_line(programs: Programs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = programs.run("-m", "service", "serve", PORT=str(port))

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port} (Address already in use)" in done.stderr


def test_the_doctor_finds_everything_in_order_and_forgets_what_it_tried(programs: Programs, sqlite_template: Path):
    done = programs.run("-m", "service", "doctor", DATABASE_URL=f"sqlite:///{sqlite_template}")

    *lines, last = done.stdout.splitlines()
    found = dict(line.split(maxsplit=1)[::-1] for line in lines)
    assert last == "No check failed."
    telemetry = {said.split()[1]: mark for said, mark in found.items() if said.startswith("telemetry: ")}
    assert done.returncode == 0, done.stdout + done.stderr
    assert telemetry == dict.fromkeys(("request", "query", "call", "job", "log"), "ok")
    assert rows(sqlite_template, "SELECT * FROM job_runs") == []


def test_the_doctor_fails_where_nothing_can_be_written(programs: Programs, sqlite_template: Path):
    programs.write("a_file", "")

    done = programs.run(
        "-m",
        "service",
        "doctor",
        DATABASE_URL=f"sqlite:///{sqlite_template}",
        DATA_DIR=str(programs.home / "a_file/var"),
    )

    [failed] = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert done.returncode == 1
    assert "DATA_DIR" in failed
    assert "cannot be written" in failed
