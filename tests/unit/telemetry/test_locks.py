"""No lock that a log call, a finalizer or a signal handler may wait for in the thread that holds it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import telemetry

ROOT = Path(telemetry.__file__).parent
# A thread that holds one of these waits for itself when a finalizer or a signal handler enters it again.
UNSAFE = {
    "Lock",
    "allocate_lock",
    "Condition",
    "Semaphore",
    "BoundedSemaphore",
    "Barrier",
    "Event",
    "Queue",
    "LifoQueue",
}
UNSAFE |= {"PriorityQueue", "JoinableQueue"}
STOPPED_BY_ITS_OWNER = "set by the one thread that stops the task, and waited for by the task's own thread"
ALLOWED = {
    "database/forked_engines.py Condition _TransactionGate": "its lock is reentrant, and each wait has a deadline",
    "health/parent_watch.py Event": STOPPED_BY_ITS_OWNER,
    "health/unclean_stops.py Lock UncleanStopWatch": "one thread waits for it, with a deadline; the others only release it",
    "jobs/recorder/queue.py Condition": "its lock is reentrant",
    "jobs/recorder/queue.py Event": "each wait has its own; only the writer's thread sets it",
    "threads/worker_thread.py Lock Receipt": "each caller that waits has its own, and waits with a deadline",
    "threads/worker_thread.py Lock WorkerThread": "callers only try to acquire it, or wait with a deadline",
    "sdk/export_backlog.py Event ExportBacklog": STOPPED_BY_ITS_OWNER,
    "sdk/shutdown.py Event": "each step has its own; only the thread that runs the step sets it",
    "metrics/multiprocess/collector.py Event": STOPPED_BY_ITS_OWNER,
    "metrics/multiprocess/membership.py Event Membership": STOPPED_BY_ITS_OWNER,
    "metrics/multiprocess/refresh.py Event": STOPPED_BY_ITS_OWNER,
    "stacks/hang_watch.py Condition HangWatch": "its lock is reentrant",
    "sdk/reentrant_locks.py Lock": "the one that it replaces",
    "periodic.py Event": STOPPED_BY_ITS_OWNER,
}


class Uses(ast.NodeVisitor):
    """Where a module refers to an unsafe class: by a call, as a `default_factory`, or by an import of the bare name."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._classes: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._classes.append(node.name)
        self.generic_visit(node)
        self._classes.pop()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id in {"threading", "_thread", "queue", "multiprocessing"}:
            self._note(node.attr, node)
        self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module in {"threading", "_thread", "queue", "multiprocessing"}:
            for name in node.names:
                self._note(name.name, node)

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            if name.asname and name.name in {"threading", "_thread", "queue", "multiprocessing"}:
                self.found.append((f"import {name.name} as {name.asname}", ""))

    def _note(self, name: str, _node: ast.AST) -> None:
        if name in UNSAFE:
            self.found.append((name, self._classes[-1] if self._classes else ""))


def uses(source: str, file: str) -> Iterator[tuple[str, str]]:
    """Each unsafe class that the module refers to: as a key of `ALLOWED`, without and with the class that uses it."""
    visitor = Uses()
    visitor.visit(ast.parse(source))
    for name, owner in visitor.found:
        yield f"{file} {name}", f"{file} {name} {owner}"


@cache
def all_uses() -> list[tuple[str, str]]:
    return [
        use
        for path in sorted(ROOT.rglob("*.py"))
        for use in uses(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


def test_every_lock_is_reentrant_or_has_a_reason_not_to_be():
    unexplained = [exact for short, exact in all_uses() if short not in ALLOWED and exact not in ALLOWED]

    assert unexplained == []


def test_each_reason_belongs_to_a_lock_that_exists():
    found = {key for use in all_uses() for key in use}

    assert ALLOWED.keys() <= found


@pytest.mark.parametrize(
    "source",
    [
        "import threading\nclass A:\n    lock = threading.Lock()",
        "import threading\nfrom dataclasses import field\nlock = field(default_factory=threading.Lock)",
        "from threading import Lock as L",
        "import queue\nq = queue.Queue(10)",
        "from threading import Condition",
        "import threading as t\nt.Lock()",
        "import _thread\n_thread.allocate_lock()",
    ],
)
def test_the_rule_notices(source):
    assert list(uses(source, "x.py"))


@pytest.mark.parametrize("source", ["import threading\nthreading.RLock()", "from queue import SimpleQueue"])
def test_the_rule_allows(source):
    assert not list(uses(source, "x.py"))
