"""The failure streaks that the alerts keep are those of the database, and most jobs are not read again."""

from random import Random

import pytest
from sqlalchemy import event

from telemetry.jobs.statistics.failure_streaks import MAX_AGE, RECENT_RUNS, FailureStreaks, failure_streaks
from telemetry.jobs.store.runs import JobRunRepository
from tests.support.job_runs import ended, started


@pytest.fixture
def statements(engine):
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    return seen


def by_name(streaks):
    return sorted(streaks, key=lambda each: each.job_name)


def test_of_many_jobs_without_a_run_nothing_is_read_again(engine, statements):
    JobRunRepository(engine).write([ended(n, "error", job_name=f"job{n}") for n in range(30)])
    streaks = FailureStreaks(engine)
    first = streaks()
    statements.clear()

    assert streaks() == first
    assert len(first) == 30
    assert len([each for each in statements if each.startswith("SELECT")]) == 2


@pytest.mark.long_on_postgresql
def test_what_is_kept_is_what_the_database_has(engine):
    repository, streaks, random = JobRunRepository(engine), FailureStreaks(engine), Random(7)
    running = []
    for number in range(30):
        if running and random.random() < 0.5:
            name, earlier = running.pop(random.randrange(len(running)))
            repository.write([ended(earlier, random.choice(["success", "error", "timeout"]), job_name=name)])
        else:
            running.append((random.choice("abc"), number))
            repository.write([started(number, job_name=running[-1][0])])

        assert by_name(streaks()) == by_name(failure_streaks(engine))


def test_the_end_of_a_run_that_began_long_ago_is_noticed(engine):
    repository, streaks = JobRunRepository(engine), FailureStreaks(engine)
    repository.write([started(0, job_name="long")])
    repository.write([ended(n, "success", job_name="short") for n in range(1, RECENT_RUNS + 50)])
    streaks()

    repository.write([ended(0, "error", job_name="long")])

    assert by_name(streaks()) == by_name(failure_streaks(engine))
    assert [each.runs for each in by_name(streaks())] == [1, 0]


def test_more_runs_than_are_looked_at_are_noticed(engine):
    repository, streaks = JobRunRepository(engine), FailureStreaks(engine)
    streaks()

    repository.write([ended(n, "error", job_name=f"job{n % 7}") for n in range(2 * RECENT_RUNS)])

    assert by_name(streaks()) == by_name(failure_streaks(engine))


def test_an_end_that_replaces_the_mark_of_a_lost_run_is_noticed_in_time(engine):
    now = [0.0]
    repository, streaks = JobRunRepository(engine), FailureStreaks(engine, lambda: now[0])
    repository.write([ended(1, "lost", job_name="a")])
    assert [each.runs for each in streaks()] == [1]
    repository.write([ended(1, "success", job_name="a")])

    now[0] = MAX_AGE

    assert [each.runs for each in streaks()] == [0]
