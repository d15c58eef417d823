"""The supervisor with real processes: the sandbox runs exactly as long as it should."""

import http.server
import logging
import signal
import socket
import subprocess
import sys
import threading
import time

import psutil
import pytest

from service.sandbox.supervisor import SandboxProcess, is_port_taken, is_sandbox_at
from tests.support.processes import Programs, eventually, free_port
from tests.support.sandboxes import SandboxClient

HOST = "127.0.0.1"
PARENT = """
import pathlib, sys, time
from service.sandbox.supervisor import SandboxProcess
supervisor = SandboxProcess("127.0.0.1", int(sys.argv[1]), pathlib.Path("journal.jsonl"))
supervisor.start()
assert supervisor.wait(60)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def make_supervisor(tmp_path):
    made = []

    def make(port, *arguments):
        made.append(SandboxProcess(HOST, port, tmp_path / "journal.jsonl", arguments))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()


class Impatient(threading.Event):
    """Records the timeout, and waits for a short time only."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return super().wait(min(timeout, 0.05))


@pytest.fixture
def foreign():
    """Another service; returns its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer((HOST, 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join(5)


def sandboxes(port):
    """The running sandboxes that this process has started for the port."""
    return [child for child in psutil.Process().children(recursive=True) if is_sandbox(child, port)]


def is_sandbox(process, port):
    try:
        return "service.sandbox" in process.cmdline() and str(port) in process.cmdline()
    except psutil.Error:  # it has ended meanwhile
        return False


def errors(caplog):
    return [(record.component, record.message) for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_sandbox_is_there_again_when_it_is_killed_with_the_same_world_and_gone_when_it_is_stopped(
    make_supervisor, port, caplog
):
    supervisor = make_supervisor(port, "--seed", "7", "--option", "wb_reviews=3")
    assert not supervisor.wait(0)

    supervisor.start()
    assert supervisor.wait(60)
    page = SandboxClient.at(port).page()
    [first] = sandboxes(port)
    first.kill()
    first.wait(10)
    assert eventually(SandboxClient.at(port).page) == page
    [second] = sandboxes(port)
    began = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - began < 8
    assert "Seed 7," in page
    assert second.pid != first.pid
    assert not second.is_running()
    assert not is_port_taken(HOST, port)
    assert errors(caplog) == []


@pytest.mark.e2e
def test_two_keepers_have_one_sandbox_and_the_other_takes_over_when_the_first_one_stops(
    make_supervisor, port, caplog, capfd
):
    supervisors = [make_supervisor(port), make_supervisor(port)]

    for supervisor in supervisors:
        supervisor.start()
    assert all(supervisor.wait(60) for supervisor in supervisors)
    [one] = eventually(lambda: len(found := sandboxes(port)) == 1 and found)
    owner = next(supervisor for supervisor in supervisors if supervisor._process and supervisor._process.pid == one.pid)
    owner.stop()
    assert eventually(SandboxClient.at(port).is_up)

    assert [found.pid for found in sandboxes(port)] != [one.pid]
    assert errors(caplog) == []
    assert capfd.readouterr().err == ""


@pytest.mark.e2e
def test_a_sandbox_that_is_there_already_is_as_good_and_outlives_the_keeper(make_supervisor, port):
    first, second = make_supervisor(port), make_supervisor(port)
    first.start()
    assert first.wait(60)

    second.start()
    assert second.wait(10)
    second.stop()

    assert second._process is None
    assert is_sandbox_at(HOST, port)


def test_a_port_that_something_else_has_is_one_line_and_costs_nothing(make_supervisor, foreign, caplog):
    supervisor = make_supervisor(foreign)
    supervisor._stop = Impatient()

    supervisor.start()
    eventually(lambda: errors(caplog))
    looked = len(supervisor._stop.waits)
    eventually(lambda: len(supervisor._stop.waits) > looked + 5)

    assert supervisor._process is None  # nor was there ever one
    assert errors(caplog) == [
        ("sandbox", f"Port {foreign} is not the sandbox's: set SANDBOX_PORT to one that is free.")
    ]
    assert not supervisor.wait(0)


@pytest.mark.e2e
def test_a_sandbox_that_ends_at_once_is_one_line_and_is_tried_again_later_and_later(make_supervisor, port, caplog):
    supervisor = make_supervisor(port, "--option", "nonsense=1")
    supervisor._stop = Impatient()

    supervisor.start()
    eventually(lambda: len([wait for wait in supervisor._stop.waits if wait >= 2]) >= 2, within=40)
    supervisor.stop()

    assert [wait for wait in supervisor._stop.waits if wait >= 1][:2] == [2, 4]
    assert errors(caplog) == [
        ("sandbox", "The sandbox ended with code 2 at its start. The log lines before this one say why.")
    ]


def test_one_of_its_own_that_does_not_answer_any_more_is_ended_and_one_that_is_deaf_is_killed(
    make_supervisor, port, caplog
):
    supervisor = make_supervisor(port)
    hung = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE)
    supervisor._process = hung

    for _ in range(3):
        supervisor._on_miss()
    assert hung.poll() is None
    supervisor._on_miss()

    assert hung.returncode == -signal.SIGKILL
    assert hung.stdin.closed
    assert supervisor._process is None
    assert errors(caplog) == []


def test_after_it_has_answered_misses_count_anew_and_a_second_complaint_may_come(make_supervisor, port, caplog):
    supervisor = make_supervisor(port)

    for _ in range(3):
        supervisor._on_miss()
    supervisor._on_answer()
    for _ in range(3):
        supervisor._on_miss()
    assert errors(caplog) == []
    for _ in range(5):
        supervisor._on_miss()
    assert len(errors(caplog)) == 1
    supervisor._on_answer()
    for _ in range(4):
        supervisor._on_miss()

    assert len(errors(caplog)) == 2


def test_a_keeper_that_was_never_started_is_stopped_at_once_and_one_that_stops_begins_nothing(make_supervisor, port):
    supervisor = make_supervisor(port)

    supervisor.stop()
    supervisor._start_process()

    assert supervisor._process is None
    assert not is_port_taken(HOST, port)


@pytest.mark.e2e
def test_no_sandbox_outlives_a_service_that_is_killed(port, tmp_path):
    programs = Programs(tmp_path)
    program = programs.start("-c", PARENT, str(port))
    try:
        eventually(lambda: "up" in program.said(), within=40)
        [sandbox] = [child for child in psutil.Process(program.process.pid).children() if is_sandbox(child, port)]

        program.process.kill()
        program.process.wait(10)

        sandbox.wait(10)
        assert not is_port_taken(HOST, port)
    finally:
        programs.kill()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
def test_whoever_does_not_say_that_it_is_a_sandbox_is_none(answer):
    with socket.create_server((HOST, 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = is_sandbox_at(HOST, server.getsockname()[1])
        thread.join(10)

    assert not found


def test_where_nobody_listens_nobody_answers(port):
    assert not is_sandbox_at(HOST, port)
    assert not is_port_taken(HOST, port)
