"""The command `profile`, and `run-job --profile`, in this process; tests/e2e/test_profile.py runs them as programs."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from service.cli.parser import main
from telemetry import setup
from telemetry.processes.file_lock import FileLock
from telemetry.processes.process_entry import ProcessEntry, start_time
from telemetry.profiling import py_spy

BUSY = """
import time
def hot_on_purpose():
    return sum(range(500))
print(flush=True)
while True:  # a good third of a core, so that the other tests have theirs
    for _ in range(1000): hot_on_purpose()
    time.sleep(0.013)
"""
IDLE = "print(flush=True)\ninput()\n"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs `python -m service …` in a directory of its own, and says with which code it ends."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", "var")

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


@pytest.fixture
def process(run, tmp_path):
    """Starts a process that has an entry in the data directory."""
    (directory := tmp_path / "var/instances").mkdir(parents=True)
    started, locks = [], []

    def start(program):
        (script := tmp_path / "program.py").write_text(program)
        made = subprocess.Popen([sys.executable, "-S", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(made)
        made.stdout.readline()
        slot = len(locks)
        locks.append(FileLock.acquire(path := directory / f"{slot}.lock"))
        entry = ProcessEntry(f"id{slot}", slot, "worker", "g", socket.gethostname(), made.pid, start_time(made.pid))
        path.write_bytes(entry.encode())
        return made.pid

    yield start
    for each in started:
        each.kill()
        each.communicate()
    for lock in locks:
        lock.close()


def skip_where_refused(capsys):
    out, err = capsys.readouterr()
    if "may not be read" in err:
        pytest.skip(err)
    return out, err


def test_processes_are_profiled_together_and_the_hot_function_is_seen_in_each(run, process, capsys, tmp_path):
    pids = process(BUSY), process(BUSY)

    code = run("profile", "--seconds", "1", "--rate", "100", "--output", "flamegraph.svg")

    out, err = skip_where_refused(capsys)
    drawing = (tmp_path / "flamegraph.svg").read_text()
    assert (code, err) == (0, "")
    assert out.startswith(f"Profiling worker 0 (pid {pids[0]}), worker 1 (pid {pids[1]}) for 1 s at 100 Hz.")
    assert out.splitlines()[-1].startswith("Wrote flamegraph.svg (")
    assert all(f"worker {slot} (pid {pid}):" in drawing for slot, pid in enumerate(pids))
    assert drawing.count("hot_on_purpose") > 1


def test_one_process_is_profiled_and_an_existing_file_is_replaced_by_force(run, process, capsys, tmp_path):
    process(BUSY)
    pid = process(BUSY)
    (tmp_path / "p.json").write_text("old")

    code = run("profile", "--seconds", "1", "--pid", str(pid), "--gil", "--output", "p.json", "--force")

    skip_where_refused(capsys)
    document = json.loads((tmp_path / "p.json").read_text())
    assert code == 0
    assert [each["name"] for each in document["profiles"]] == [f"worker 1 (pid {pid})"]
    assert "hot_on_purpose" in {each["name"] for each in document["shared"]["frames"]}
    assert "threads that hold the GIL" in document["name"]


def test_without_a_name_the_file_has_the_time_in_its_name(run, process, capsys, tmp_path):
    process(BUSY)

    code = run("profile", "--seconds", "1")

    skip_where_refused(capsys)
    assert code == 0
    assert [each.name[:10] for each in tmp_path.glob("*.svg")] == ["profile-20"]


def test_idle_processes_have_nothing_to_draw(run, process, capsys, tmp_path):
    process(IDLE)

    code = run("profile", "--seconds", "1", "--output", "p.svg")

    _, err = skip_where_refused(capsys)
    assert code == 1
    assert err == "No file was written: every thread was idle. Profile the service while it works.\n"
    assert not (tmp_path / "p.svg").exists()


@pytest.mark.e2e
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_signal_ends_it_early_and_keeps_what_there_is(run, process, capsys, tmp_path, number, expected):
    process(BUSY)
    timer = threading.Timer(2, os.kill, (os.getpid(), number))
    timer.start()
    began = time.monotonic()

    code = run("profile", "--seconds", "600", "--output", "p.svg")

    skip_where_refused(capsys)
    assert code == expected
    assert time.monotonic() - began < 300
    assert "hot_on_purpose" in (tmp_path / "p.svg").read_text()


@pytest.mark.e2e
def test_a_process_that_ends_meanwhile_is_said_and_what_it_did_is_kept(run, process, capsys, tmp_path):
    pid = process(BUSY)
    timer = threading.Timer(2, os.kill, (pid, signal.SIGKILL))
    timer.start()

    code = run("profile", "--seconds", "30", "--output", "p.svg")

    _, err = skip_where_refused(capsys)
    assert (code, err) == (0, f"worker 0 (pid {pid}): ended during the profile.\n")
    assert "hot_on_purpose" in (tmp_path / "p.svg").read_text()


@pytest.mark.e2e
def test_progress_is_shown_on_a_terminal(run, process, capsys, monkeypatch):
    process(BUSY)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")

    run("profile", "--seconds", "2", "--output", "p.svg")

    assert "profile: 1 s of 2 s" in skip_where_refused(capsys)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "101"], "argument --rate: '101' is invalid: expected 20 to 100 samples per second"),
        (["--rate", "19"], "argument --rate: '19' is invalid: expected 20 to 100 samples per second"),
        (["--seconds", "0"], "argument --seconds: '0' is invalid: expected 1 to 3600 seconds"),
        (["--seconds", "3601"], "argument --seconds: '3601' is invalid: expected 1 to 3600 seconds"),
        (["--pid", "1", "--all"], "argument --all: not allowed with argument --pid"),
    ],
)
def test_a_wrong_argument_is_named(run, capsys, arguments, message):
    assert run("profile", *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_could_not_be_written_is_refused_before_the_wait(run, process, capsys, tmp_path):
    process(BUSY)
    (tmp_path / "there.svg").write_text("mine")

    assert run("profile", "--seconds", "3600", "--output", "there.svg") == 2
    assert capsys.readouterr().err == "there.svg exists: name another file, or add --force.\n"
    assert (tmp_path / "there.svg").read_text() == "mine"


def test_a_process_of_another_program_is_refused(run, process, capsys):
    pid = process(IDLE)

    assert run("profile", "--pid", str(os.getppid())) == 2
    assert capsys.readouterr().err == (
        f"Process {os.getppid()} is of another program. Of the service with DATA_DIR=var run here: worker 0 (pid {pid}).\n"
    )


def test_a_process_that_does_not_exist_is_refused(run, capsys):
    assert run("profile", "--pid", str(2**30)) == 2
    assert capsys.readouterr().err == (
        f"Process {2**30} does not exist. Of the service with DATA_DIR=var run here: none.\n"
    )


def test_a_service_that_does_not_run_is_said(run, capsys):
    assert run("profile") == 2
    assert capsys.readouterr().err == "No process of the service with DATA_DIR=var runs here.\n"


def test_a_directory_that_cannot_be_read_says_as_whom_to_run_it(run, capsys, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var/instances").symlink_to("instances")

    assert run("profile") == 2
    assert capsys.readouterr().err == (
        "The processes of DATA_DIR=var cannot be read (Too many levels of symbolic links): "
        "run this command as the user of the service, or as root.\n"
    )


def test_processes_elsewhere_are_counted(run, process, capsys, tmp_path):
    process(IDLE)
    entry = tmp_path / "var/instances/0.lock"
    entry.write_text(entry.read_text().replace(socket.gethostname(), "another-host"))

    assert run("profile") == 2
    assert capsys.readouterr().err.splitlines() == [
        "1 more of DATA_DIR=var run in another container, on another machine or as another user.",
        "No process of the service with DATA_DIR=var runs here.",
    ]


def test_a_program_that_is_not_installed_is_said_with_how_to_install_it(run, process, capsys, monkeypatch):
    process(IDLE)
    monkeypatch.setattr(py_spy.shutil, "which", lambda *_args, **_kwargs: None)

    assert run("profile") == 1
    assert capsys.readouterr().err == "py-spy is not installed: pip install '.[profiling]', or pip install py-spy\n"


@pytest.fixture
def sqlite(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/profiled.db")
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "log"))


def test_a_run_of_a_job_is_profiled(run, sqlite, capsys, tmp_path):
    assert run("run-job", "check_resources", "--profile", "job.svg") == 0

    out, err = skip_where_refused(capsys)
    assert out.startswith("check_resources: success in ")
    assert "Wrote job.svg: " in err
    assert f"check_resources (pid {os.getpid()}):" in (tmp_path / "job.svg").read_text()


def test_a_run_whose_profile_could_not_be_written_is_not_begun(run, sqlite, capsys, tmp_path):
    assert run("run-job", "check_resources", "--profile", "job.txt") == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("job.txt is invalid: expected a name that ends in .svg")
    assert err.endswith(". The job was not run.\n")


def test_a_run_without_py_spy_is_not_begun(run, sqlite, capsys, monkeypatch):
    monkeypatch.setattr(py_spy.shutil, "which", lambda *_args, **_kwargs: None)

    assert run("run-job", "check_resources", "--profile", "job.svg") == 2
    assert (
        "py-spy is not installed: pip install '.[profiling]', or pip install py-spy. The job was not run."
        in capsys.readouterr().err
    )
