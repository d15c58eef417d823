"""Reads of a database that may hang."""

import asyncio
import threading
import time
from contextlib import suppress

import pytest
from sqlalchemy.exc import OperationalError

from telemetry.console import database_reads
from telemetry.console.database_reads import MAX_READS, DatabaseReads, NoAnswer
from telemetry.console.page_definition import PageNotFound
from telemetry.console.page_threads import PageThreads
from telemetry.console.parts import read_part
from telemetry.threads import daemon_executor


@pytest.fixture
def hang():
    """A function that hangs until the test has ended."""
    end = threading.Event()
    yield lambda: end.wait(60)
    end.set()


@pytest.fixture
def reads(monkeypatch):
    monkeypatch.setattr(database_reads, "DEADLINE", 0.05)
    monkeypatch.setattr(database_reads, "LATE_DEADLINE", 0.01)
    made = DatabaseReads()
    monkeypatch.setattr("telemetry.console.parts.DATABASE_READS", made)
    return made


def test_what_answers_is_read():
    assert DatabaseReads().read(lambda: 42) == 42


@pytest.mark.parametrize("error", [ValueError("no"), TimeoutError("the socket's own"), PageNotFound("none")])
def test_an_error_is_that_of_the_read(error):
    def fail():
        raise error

    with pytest.raises(type(error), match=str(error)):
        DatabaseReads().read(fail)


def test_a_hung_database_takes_a_part_of_the_page_alone(reads, hang):
    part = read_part("Job runs", hang, [], from_database=True)

    assert part.value == []
    assert part.problem.startswith("Job runs cannot be read now: the database has not answered within ")


def test_a_hung_database_holds_a_few_threads_alone(reads, hang):
    begun = []

    def begin():
        begun.append(1)
        hang()

    for _ in range(3 * MAX_READS):
        with pytest.raises(NoAnswer):
            reads.read(begin)

    assert len(begun) <= MAX_READS


def test_it_works_again_by_itself(reads):
    end = threading.Event()
    for _ in range(MAX_READS):
        with pytest.raises(NoAnswer):
            reads.read(lambda: end.wait(60))
    end.set()

    found, until = None, time.monotonic() + 60
    while found is None and time.monotonic() < until:
        with suppress(NoAnswer):
            found = reads.read(lambda: "again")

    assert found == "again"


def test_the_end_of_the_process_waits_for_no_read_and_no_page():
    assert DatabaseReads().read(lambda: threading.current_thread().daemon)
    assert asyncio.run(PageThreads().run(lambda: threading.current_thread().daemon))


def test_where_no_thread_can_be_started_no_read_counts_as_running(reads, monkeypatch):
    monkeypatch.setattr(daemon_executor, "start_daemon", lambda _run, _name: None)
    for _ in range(MAX_READS + 1):
        with pytest.raises(RuntimeError):
            reads.read(lambda: 42)
    monkeypatch.undo()

    assert DatabaseReads.read(reads, lambda: 42) == 42


def test_an_error_of_the_database_is_told_without_what_it_holds(reads):
    def fail():
        raise OperationalError("SELECT secret", {}, Exception("gone"))

    part = read_part("Job runs", fail, 0, from_database=True)

    assert part.problem.startswith("Job runs cannot be read now: ")
    assert "secret" not in part.problem
