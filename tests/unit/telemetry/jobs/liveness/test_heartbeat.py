"""Who is lost, by clocks that are turned by hand."""

from datetime import timedelta

import pytest

from telemetry.jobs.liveness.heartbeat import BEAT, BREAK, SILENCE, Heartbeat
from telemetry.jobs.store.running_runs import LostRun
from tests.support.job_runs import NOON

SECOND = timedelta(seconds=1)


class Database:
    """The rows that say "running", with their last sign of life, by a clock that stands still until it is turned."""

    def __init__(self):
        self.clock, self.rows, self.lost, self.is_away = NOON, {}, [], False

    def now(self):
        self._answer()
        return self.clock

    def beat(self, run_ids):
        self._answer()
        for run_id in run_ids:
            self.rows[run_id] = self.clock

    def silent(self, before):
        self._answer()
        return [run_id for run_id, heard in self.rows.items() if heard < before]

    def close(self, run_ids, silent_before=None):
        self._answer()
        closed = [run_id for run_id in run_ids if run_id in self.rows and self.rows[run_id] < silent_before]
        for run_id in closed:
            del self.rows[run_id]
        self.lost += closed
        return [LostRun(run_id, "sync", "host:1") for run_id in closed]

    def _answer(self):
        if self.is_away:
            raise ConnectionError("the database is gone")


class Process:
    def __init__(self, database, *run_ids, neighbours=()):
        self.runs, self.database, self.neighbours = list(run_ids), database, neighbours
        self.pulse = Heartbeat(database, lambda: self.runs, lambda: self.neighbours)
        self.is_stopped = False

    def go(self):
        if not self.is_stopped:
            try:
                self.pulse.go()
            except ConnectionError:
                assert self.database.is_away


def pass_by(database, time, *processes):
    """Every process does its round every five seconds, which is how time goes by."""
    step = timedelta(seconds=BEAT)
    for _ in range(int(time / step)):
        database.clock += step
        for process in processes:
            process.go()


@pytest.fixture
def database():
    return Database()


def test_a_run_whose_process_is_gone_is_lost_within_sixty_seconds(database):
    dead, living = Process(database, "a"), Process(database)
    pass_by(database, 300 * SECOND, dead, living)
    dead.is_stopped = True

    pass_by(database, 45 * SECOND, dead, living)
    assert database.lost == []
    pass_by(database, 15 * SECOND, dead, living)

    assert database.lost == ["a"]


def test_a_run_that_goes_on_for_a_week_is_never_lost(database):
    long, other = Process(database, "a"), Process(database)

    pass_by(database, timedelta(days=1), long, other)

    assert database.lost == []


def test_a_row_that_is_left_from_long_ago_is_lost_when_somebody_has_listened_for_long_enough(database):
    database.rows["a"] = NOON - timedelta(days=3)
    other = Process(database)

    pass_by(database, SILENCE, other)
    assert database.lost == []
    pass_by(database, 5 * SECOND, other)

    assert database.lost == ["a"]


@pytest.mark.parametrize("outage", [20, 60, 600, 86_400])
def test_nobody_is_lost_after_the_database_was_away(database, outage):
    one, other = Process(database, "a"), Process(database, "b")
    pass_by(database, 300 * SECOND, one, other)
    database.is_away = True
    pass_by(database, outage * SECOND, one, other)
    database.is_away = False

    pass_by(database, 300 * SECOND, other, one)

    assert database.lost == []


@pytest.mark.parametrize("slow", [0, 5, 45])
def test_whoever_reaches_the_database_later_than_others_after_an_outage_has_time_to(database, slow):
    one, other = Process(database, "a"), Process(database)
    pass_by(database, 300 * SECOND, one, other)
    database.is_away = True
    pass_by(database, 600 * SECOND, one, other)
    database.is_away = False

    pass_by(database, slow * SECOND, other)
    pass_by(database, 300 * SECOND, other, one)

    assert database.lost == []


@pytest.mark.parametrize("stopped", [5, 30, 45])
def test_a_process_that_is_stopped_for_less_than_the_silence_loses_nothing(database, stopped):
    one, other = Process(database, "a"), Process(database)
    pass_by(database, 300 * SECOND, one, other)
    one.is_stopped = True
    pass_by(database, stopped * SECOND, one, other)
    one.is_stopped = False

    pass_by(database, 300 * SECOND, one, other)

    assert database.lost == []


def test_who_was_stopped_itself_judges_nobody_by_the_time_in_which_it_heard_nothing(database):
    """Both stood still, as when a machine sleeps: the one that wakes first gives the other its time."""
    one, other = Process(database, "a"), Process(database)
    pass_by(database, 300 * SECOND, one, other)
    database.clock += timedelta(hours=8)

    pass_by(database, 45 * SECOND, other)
    pass_by(database, 300 * SECOND, one, other)

    assert database.lost == []


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_makes_nobody_lost(database, jump):
    one, other = Process(database, "a"), Process(database)
    pass_by(database, 300 * SECOND, one, other)
    database.clock += jump * SECOND

    pass_by(database, 300 * SECOND, other, one)

    assert database.lost == []


def test_own_runs_and_those_of_neighbours_that_are_there_are_not_lost_though_their_rows_are_silent(database):
    """A job that holds the interpreter for minutes lets nothing beat, and its neighbour sees that it is there."""
    long_ago = NOON - timedelta(days=3)
    database.rows = {"neighbour": long_ago, "gone": long_ago}
    watching = Process(database, "own", neighbours=["neighbour"])

    pass_by(database, SILENCE + BREAK, watching)

    assert database.lost == ["gone"]


def test_a_pause_between_looks_that_is_no_longer_than_the_break_interrupts_nothing(database):
    database.rows["a"] = NOON - timedelta(days=3)
    watching = Process(database)
    for _ in range(6):
        watching.go()
        database.clock += BREAK

    assert database.lost == ["a"]
