"""Which runs are marked as lost, with clocks that the test sets."""

from datetime import timedelta

import pytest

from telemetry.jobs.liveness.heartbeat import HEARTBEAT_INTERVAL, MAX_LISTENING_GAP, STALE_AFTER, Heartbeat
from telemetry.jobs.store.running_runs import LostRun
from tests.support.job_runs import NOON

SECOND = timedelta(seconds=1)


class Database:
    """The running rows with their last heartbeats, and a clock that stands still until the test sets it."""

    def __init__(self):
        self.clock, self.rows, self.lost, self.is_unavailable = NOON, {}, [], False

    def now(self):
        self._check_available()
        return self.clock

    def heartbeat(self, run_ids, _time_left=None):
        self._check_available()
        for run_id in run_ids:
            self.rows[run_id] = self.clock

    def stale(self, before):
        self._check_available()
        return [run_id for run_id, heartbeat_at in self.rows.items() if heartbeat_at < before]

    def mark_lost(self, run_ids, stale_before=None):
        self._check_available()
        marked = [run_id for run_id in run_ids if run_id in self.rows and self.rows[run_id] < stale_before]
        for run_id in marked:
            del self.rows[run_id]
        self.lost += marked
        return [LostRun(run_id, "sync", "host:1") for run_id in marked]

    def _check_available(self):
        if self.is_unavailable:
            raise ConnectionError("the database is gone")


class Process:
    def __init__(self, database, *run_ids, other_runs=()):
        self.runs, self.database, self.other_runs = list(run_ids), database, other_runs
        self.heartbeat = Heartbeat(database, lambda: self.runs, lambda: self.other_runs)
        self.is_stopped = False

    def run_once(self):
        if not self.is_stopped:
            try:
                self.heartbeat.run_once()
            except ConnectionError:
                assert self.database.is_unavailable


def advance(database, time, *processes):
    """Advance the clock; each process does a round every five seconds."""
    step = timedelta(seconds=HEARTBEAT_INTERVAL)
    for _ in range(int(time / step)):
        database.clock += step
        for process in processes:
            process.run_once()


@pytest.fixture
def database():
    return Database()


def test_a_run_whose_process_is_gone_is_lost_within_sixty_seconds(database):
    dead, living = Process(database, "a"), Process(database)
    advance(database, 300 * SECOND, dead, living)
    dead.is_stopped = True

    advance(database, 45 * SECOND, dead, living)
    assert database.lost == []
    advance(database, 15 * SECOND, dead, living)

    assert database.lost == ["a"]


def test_a_run_that_goes_on_for_a_week_is_never_lost(database):
    long, other = Process(database, "a"), Process(database)

    advance(database, timedelta(days=1), long, other)

    assert database.lost == []


def test_a_row_that_is_left_from_long_ago_is_lost_when_somebody_has_listened_for_long_enough(database):
    database.rows["a"] = NOON - timedelta(days=3)
    other = Process(database)

    advance(database, STALE_AFTER, other)
    assert database.lost == []
    advance(database, 5 * SECOND, other)

    assert database.lost == ["a"]


@pytest.mark.parametrize("outage", [20, 60, 600, 86_400])
def test_nobody_is_lost_after_the_database_was_away(database, outage):
    one, other = Process(database, "a"), Process(database, "b")
    advance(database, 300 * SECOND, one, other)
    database.is_unavailable = True
    advance(database, outage * SECOND, one, other)
    database.is_unavailable = False

    advance(database, 300 * SECOND, other, one)

    assert database.lost == []


@pytest.mark.parametrize("slow", [0, 5, 45])
def test_whoever_reaches_the_database_later_than_others_after_an_outage_has_time_to(database, slow):
    one, other = Process(database, "a"), Process(database)
    advance(database, 300 * SECOND, one, other)
    database.is_unavailable = True
    advance(database, 600 * SECOND, one, other)
    database.is_unavailable = False

    advance(database, slow * SECOND, other)
    advance(database, 300 * SECOND, other, one)

    assert database.lost == []


@pytest.mark.parametrize("stopped", [5, 30, 45])
def test_a_process_that_is_stopped_for_less_than_the_silence_loses_nothing(database, stopped):
    one, other = Process(database, "a"), Process(database)
    advance(database, 300 * SECOND, one, other)
    one.is_stopped = True
    advance(database, stopped * SECOND, one, other)
    one.is_stopped = False

    advance(database, 300 * SECOND, one, other)

    assert database.lost == []


def test_who_was_stopped_itself_judges_nobody_by_the_time_in_which_it_heard_nothing(database):
    """Both were suspended, as when a machine sleeps: the one that wakes first must wait for the other."""
    one, other = Process(database, "a"), Process(database)
    advance(database, 300 * SECOND, one, other)
    database.clock += timedelta(hours=8)

    advance(database, 45 * SECOND, other)
    advance(database, 300 * SECOND, one, other)

    assert database.lost == []


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_makes_nobody_lost(database, jump):
    one, other = Process(database, "a"), Process(database)
    advance(database, 300 * SECOND, one, other)
    database.clock += jump * SECOND

    advance(database, 300 * SECOND, other, one)

    assert database.lost == []


def test_own_runs_and_those_of_neighbours_that_are_there_are_not_lost_though_their_rows_are_silent(database):
    """A job that holds the GIL for minutes delays all heartbeats; another process sees that its process is alive."""
    long_ago = NOON - timedelta(days=3)
    database.rows = {"neighbour": long_ago, "gone": long_ago}
    process = Process(database, "own", other_runs=["neighbour"])

    advance(database, STALE_AFTER + MAX_LISTENING_GAP, process)

    assert database.lost == ["gone"]


def test_a_pause_between_looks_that_is_no_longer_than_the_break_interrupts_nothing(database):
    database.rows["a"] = NOON - timedelta(days=3)
    process = Process(database)
    for _ in range(6):
        process.run_once()
        database.clock += MAX_LISTENING_GAP

    assert database.lost == ["a"]
