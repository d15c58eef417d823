"""Membership: a process joins its group as soon as that can be found, and its page is then that of all."""

import socket
import subprocess
import sys
import threading

import pytest

from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess import membership as module
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.membership import Membership
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.processes.server_sockets import SocketsUnknown
from tests.support.forking import in_child
from tests.support.processes import ROOT, eventually

WARNING = "/metrics does not show all workers of this service"


@pytest.fixture
def member_of(tmp_path):
    made = []

    def make(name=None, *, requests=0, data_dir=tmp_path):
        registry = ProcessRegistry(data_dir)
        families = [Family("requests_total", "counter", "Requests.", {"": requests})]
        member = Membership(name, registry, lambda: families, MultiprocessCollector)
        made.append((member, registry))
        return member

    yield make
    for member, registry in made:
        member.stop()
        registry.release()


@pytest.fixture
def server():
    with socket.socket() as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(("127.0.0.1", 0))
        yield found


def requests_on(page):
    return next(family.series[""] for family in page if family.name == "requests_total")


def in_group(member):
    return member._collector is not None


def test_processes_that_are_named_as_one_show_what_all_have_counted(member_of):
    members = [member_of("shop", requests=number) for number in (1, 10, 100)]
    for member in members:
        member.start()

    assert [requests_on(member.collect()) for member in members] == [111] * 3
    members[0].stop()
    assert requests_on(members[1].collect()) == 111


def test_processes_of_two_names_know_nothing_of_each_other(member_of):
    one, other = member_of("shop", requests=1), member_of("bank", requests=10)
    one.start()
    other.start()

    assert (requests_on(one.collect()), requests_on(other.collect())) == (1, 10)


def test_a_process_that_serves_alone_writes_nothing(member_of, tmp_path):
    member = member_of(requests=7)
    member.start()

    assert requests_on(member.collect()) == 7
    assert list(tmp_path.iterdir()) == []
    assert not member.is_incomplete


def test_one_joins_when_its_server_listens(member_of, server, monkeypatch):
    monkeypatch.setattr(module, "SEARCH_INTERVAL", 0.01)
    member = member_of(requests=7)
    member.start()
    assert not in_group(member)

    server.listen()

    assert eventually(lambda: in_group(member))
    assert requests_on(member.collect()) == 7


def test_one_that_is_scraped_joins_at_once(member_of, server, monkeypatch):
    monkeypatch.setattr(module, "SEARCH_INTERVAL", 3600.0)
    member = member_of()
    member.start()
    server.listen()

    member.collect()

    assert in_group(member)


def test_before_the_start_and_after_the_end_a_page_joins_nothing(member_of, server, tmp_path):
    server.listen()
    member = member_of()
    member.collect()
    member.serve()
    assert list(tmp_path.iterdir()) == []

    member.start()
    member.stop()
    member._collector = None
    member.collect()
    assert not in_group(member)


def test_a_server_that_forks_its_workers_has_each_in_the_group_and_is_not_in_it_itself(member_of, tmp_path):
    """`gunicorn --preload`: its socket is opened after the application was imported."""
    member = member_of(requests=1)
    member.start()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen()

        def worker():
            eventually(lambda: in_group(member))
            pages = requests_on(member.collect()), [entry.role for entry in live_processes(tmp_path)]
            member.stop()
            return pages

        assert in_child(worker) == [1, ["worker"]]
        assert in_child(worker) == [2, ["worker"]]
        member.collect()
        assert not in_group(member)


def test_a_child_that_a_worker_forks_shows_itself_alone_until_it_serves(member_of):
    member = member_of("shop", requests=1)
    member.start()

    def child():
        alone = requests_on(member.collect()), in_group(member)
        member.serve()
        together = requests_on(member.collect()), in_group(member)
        member.stop()
        return [*alone, *together]

    assert in_child(child) == [1, False, 2, True]
    assert in_group(member)


def test_a_helper_of_a_pool_is_no_worker(member_of, tmp_path):
    program = """
import socket, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.membership import Membership
from telemetry.processes.registry import ProcessRegistry
member = Membership(None, ProcessRegistry(Path(sys.argv[1])), list, MultiprocessCollector)
member.start()
server = socket.create_server(("127.0.0.1", 0))
def work():
    member.collect()
    return member._collector is not None
with ProcessPoolExecutor(1, get_context("fork")) as pool:
    print(pool.submit(work).result())
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.stdout == "False\n", result.stderr
    assert not (tmp_path / "workers").exists()


def test_a_directory_that_cannot_be_used_is_one_warning_and_true_again_afterwards(member_of, tmp_path, caplog):
    member = member_of("shop", requests=7)
    (tmp_path / "workers").write_text("no directory")
    member.start()

    assert [requests_on(member.collect()) for _ in range(3)] == [7] * 3
    assert member.is_incomplete
    [record] = caplog.records
    assert WARNING in record.message

    (tmp_path / "workers").unlink()
    member.collect()
    assert in_group(member)
    assert not member.is_incomplete


@pytest.mark.parametrize("is_spawned", [True, False])
def test_where_the_system_shows_no_sockets_a_spawned_worker_says_so(member_of, monkeypatch, caplog, is_spawned):
    def unknown(*_args, **_options):
        raise SocketsUnknown

    monkeypatch.setattr(module, "find_group", unknown)
    monkeypatch.setattr(module.multiprocessing, "parent_process", lambda: object() if is_spawned else None)
    member = member_of()
    member.start()
    member.collect()

    assert member.is_incomplete == is_spawned
    assert sum(WARNING in message and "TELEMETRY_GROUP" in message for message in caplog.messages) == is_spawned


def test_a_spawned_worker_without_a_shared_socket_says_so_when_it_is_scraped(member_of, monkeypatch, caplog):
    monkeypatch.setattr(module.multiprocessing, "parent_process", object)
    member = member_of()
    member.start()
    assert not member.is_incomplete

    member.collect()
    member.collect()

    assert member.is_incomplete
    assert len(caplog.messages) == 1


def test_a_process_whose_page_fails_to_look_goes_on(member_of, monkeypatch):
    def failing(*_args, **_options):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(module, "find_group", failing)
    member = member_of(requests=7)
    member.start()

    assert requests_on(member.collect()) == 7


def test_processes_of_one_port_are_one_page_also_when_one_of_them_is_killed(member_of, server, tmp_path):
    """Such as units of systemd, each with a socket of its own."""
    server.listen()
    member = member_of(requests=1)
    member.start()
    program = """
import socket, sys
from pathlib import Path
from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.membership import Membership
from telemetry.processes.registry import ProcessRegistry
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[2])))
families = [Family("requests_total", "counter", "Requests.", {"": 10})]
member = Membership(None, ProcessRegistry(Path(sys.argv[1])), lambda: families, MultiprocessCollector)
member.start()
server.listen()
print(member.collect()[0].series[""], flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(server.getsockname()[1])],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "11\n"
        assert requests_on(member.collect()) == 11
    finally:
        other.kill()
        other.communicate(timeout=30)
    assert requests_on(member.collect()) == 11


def test_a_process_at_the_port_with_another_directory_is_lacking_on_the_page_until_it_ends(
    member_of, server, monkeypatch, caplog
):
    server.listen()
    member = member_of(requests=1)
    member.start()
    there = [False]
    monkeypatch.setattr(member._watch, "are_there", lambda: there[0])
    member.collect()
    assert not member.is_incomplete

    there[0] = True
    assert [requests_on(member.collect()) for _ in range(3)] == [1] * 3
    assert member.is_incomplete
    assert [WARNING in message and "DATA_DIR" in message for message in caplog.messages] == [True]

    there[0] = False
    member.collect()
    assert not member.is_incomplete


def test_the_steps_of_a_fork_of_a_server_before_it_is_in_a_group(member_of, server, monkeypatch):
    """What a child does, in this process: it searches at once, and joins the group of the socket."""
    server.listen()
    member = member_of(requests=7)
    member._is_started = True

    member.restart_in_child()

    assert eventually(lambda: in_group(member))
    assert not member._is_helper
    member.serve()
    assert requests_on(member.collect()) == 7


def test_the_steps_of_a_fork_of_a_worker(member_of):
    member = member_of("shop", requests=7)
    member.start()
    parent = member._collector

    member.restart_in_child()

    assert member._is_helper
    assert not in_group(member)
    assert requests_on(member.collect()) == 7
    assert member.is_incomplete  # it is scraped, and shows itself alone
    parent.stop()


def test_a_fork_by_multiprocessing_makes_a_helper(member_of):
    namespace = {"__name__": "multiprocessing.popen_fork"}
    exec("def launch(step):\n    return step()", namespace)  # noqa: S102  # a module of that name
    member = member_of()
    member._is_started = True

    namespace["launch"](member.restart_in_child)

    assert member._is_helper


def test_a_search_ends_with_the_process(member_of, monkeypatch):
    monkeypatch.setattr(module, "SEARCH_INTERVAL", 0.01)
    member = member_of()
    member.start()
    thread = next(each for each in threading.enumerate() if each.name == "metrics-group" and each.is_alive())

    member.stop()

    thread.join(30)
    assert not thread.is_alive()


def test_what_cannot_be_found_is_said_once_for_each_reason(member_of, caplog):
    member = member_of()
    for reason in ("one", "one", "other", "one"):
        member.is_incomplete = False
        member._note_incomplete(reason)

    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["one.", "other."]
