"""What a fork means for each part: in which order the parts are asked, and that one of them is in no other's way."""

import ast
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

import telemetry
from telemetry.alerts.outbox.file import Outbox
from telemetry.processes import forks
from tests.support.forking import in_child


class Part(forks.ForkAware):
    def __init__(self, name, calls, fails=()):
        self.name, self.calls, self.fails = name, calls, fails
        forks.register(self)

    def pause(self, timeout):
        self._called("pause")

    def resume(self):
        self._called("resume")

    def restart_in_child(self):
        self._called("restart")

    def _called(self, step):
        self.calls.append(f"{step} {self.name}")
        if step in self.fails:
            raise RuntimeError(step)


def test_each_part_is_asked_before_a_fork_in_the_parent_and_in_the_child_in_the_order_of_their_registration():
    calls = []
    parts = [Part(name, calls) for name in "abc"]

    of_child = in_child(lambda: calls)

    pauses = ["pause a", "pause b", "pause c"]
    assert of_child == [*pauses, "restart a", "restart b", "restart c"]
    assert calls == [*pauses, "resume a", "resume b", "resume c"]
    assert len(parts) == 3


def test_a_part_that_fails_keeps_no_other_from_being_asked(monkeypatch):
    failures, calls = [], []
    monkeypatch.setattr("telemetry.failsafe.warn_once", failures.append)
    parts = [Part("a", calls, fails=("pause", "resume", "restart")), Part("b", calls)]

    assert in_child(lambda: calls) == ["pause a", "pause b", "restart a", "restart b"]
    assert calls == ["pause a", "pause b", "resume a", "resume b"]
    assert len(failures) == 2
    assert len(parts) == 2


def test_a_part_that_does_not_exist_any_more_is_not_asked():
    calls = []
    Part("a", calls)
    gc.collect()

    assert in_child(lambda: calls) == []


def test_a_part_without_methods_of_its_own_is_asked_in_vain():
    part = forks.ForkAware()
    forks.register(part)

    assert in_child(lambda: "done") == "done"


def test_no_other_module_asks_the_operating_system_about_forks():
    users = set()
    for path in Path(telemetry.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute | ast.alias) and "register_at_fork" in ast.dump(node):
                users.add(path.relative_to(Path(telemetry.__file__).parent).as_posix())

    assert users == {"processes/forks.py"}


@pytest.fixture
def outbox(tmp_path):
    outbox = Outbox(tmp_path / "alerts" / "outbox.db")
    yield outbox
    outbox.close()


def test_a_child_uses_the_outbox_although_another_thread_of_its_parent_had_it(outbox):
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with outbox.transaction():
            held.set()
            go_on.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)

    def child():
        with outbox.read() as connection:
            return connection.execute("SELECT count(*) FROM leases").fetchone()[0]

    assert in_child(child) == 0
    go_on.set()
    thread.join(30)


def test_the_end_of_a_child_takes_no_lock_of_its_parent_from_the_outbox(outbox):
    with outbox.transaction() as connection:
        connection.execute("INSERT INTO leases (name, holder, until) VALUES ('a', 'us', 1)")

        assert in_child(lambda: outbox.close() or "closed") == "closed"

        with closing(sqlite3.connect(outbox.path, timeout=0)) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
    with outbox.read() as connection:
        assert connection.execute("SELECT holder FROM leases").fetchone()[0] == "us"
