"""Roll-ups and retention: statistics are the same whether days are rolled up, pruned, or all in rows."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from telemetry.database import transaction
from telemetry.jobs.statistics.streaks import RunStreak
from telemetry.jobs.statistics.summary import JobDay, job_statistics
from telemetry.jobs.store.daily_totals import DAY, midnight
from telemetry.jobs.store.retention import FIRST_BATCH, ROLLUP_RETENTION, Retention
from telemetry.jobs.store.rollups import REFRESHED_DAYS, roll_up
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow
from tests.support.job_runs import run_id, started

NOW = datetime(2025, 10, 20, 12, tzinfo=UTC)


def run_that_ended(number, ended_at, outcome="success", seconds=1.5, job_name="sync"):
    return started(
        number,
        job_name=job_name,
        started_at=ended_at - timedelta(seconds=seconds or 0),
        finished_at=ended_at,
        status="success" if outcome in {"success", "skipped"} else "failed",
        outcome=outcome,
        duration_seconds=None if outcome == "lost" else seconds,
    )


def ago(days, hours=0.0):
    return NOW - timedelta(days=days, hours=hours)


class Stage:
    def __init__(self, engine):
        self.engine, self.store = engine, JobRunRepository(engine, lambda: NOW)

    def write(self, *runs):
        self.store.write(runs)

    def days(self):
        with transaction(self.engine) as session:
            rows = session.scalars(select(JobRunDayRow).order_by(JobRunDayRow.day)).all()
            return {(NOW.date() - row.day).days: row for row in rows}

    def summary(self, window=None):
        return job_statistics(self.engine, "sync", window=window, now=NOW)

    def roll_up(self, now=NOW):
        return roll_up(self.engine, ["sync"], now)

    def prune(self, keep_days, **options):
        return Retention(self.engine, sleep=lambda _seconds: None, **options).prune(["sync"], keep_days, NOW)

    def clear(self):
        with transaction(self.engine) as session:
            session.execute(delete(JobRunRow))
            session.execute(delete(JobRunDayRow))


@pytest.fixture
def stage(engine):
    return Stage(engine)


def exact(summary):
    """Without the values that a roll-up only approximates."""
    approximate = dict.fromkeys(["p50_duration_seconds", "p95_duration_seconds", "p99_duration_seconds", "trend"])
    return replace(
        summary,
        **approximate,
        avg_duration_seconds=None,
        by_day=tuple(replace(day, avg_duration_seconds=None) for day in summary.by_day),
    )


history = st.lists(
    st.tuples(
        st.integers(0, 12 * 24),
        st.sampled_from(["success", "success", "error", "timeout", "cancelled", "lost", "skipped"]),
        st.floats(0, 10_000),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda run: run[0],
)


@pytest.mark.long_on_postgresql
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=history, window=st.none() | st.integers(1, 13 * 24), late=st.integers(0, 10))
def test_statistics_are_the_same_whatever_is_rolled_up(stage, history, window, late):
    stage.clear()
    window = None if window is None else timedelta(hours=window)
    ordered = sorted(history, reverse=True)
    runs = [run_that_ended(n, ago(0, hours), outcome, seconds) for n, (hours, outcome, seconds) in enumerate(ordered)]
    stage.write(*runs, started(999, started_at=NOW))
    before = stage.summary(window)
    stage.clear()
    stage.write(*runs[late:])
    stage.roll_up()
    stage.write(*runs[:late], started(999, started_at=NOW))  # some come late, into days that are rolled up

    for rolled in (stage.roll_up(NOW - timedelta(days=5)), stage.roll_up()):
        after = stage.summary(window)

        assert rolled >= 0
        assert exact(after) == replace(exact(before), last_run=after.last_run, last_status=after.last_status)
        for name in ("p50_duration_seconds", "p95_duration_seconds", "p99_duration_seconds", "avg_duration_seconds"):
            expected = getattr(before, name)
            assert getattr(after, name) == (
                expected if expected is None else pytest.approx(expected, rel=0.0101, abs=1e-5)
            )


def test_a_day_is_rolled_up_when_it_is_over_and_its_clocks_have_had_time_to_agree(stage):
    stage.write(run_that_ended(1, midnight(NOW.date()) - timedelta(seconds=1)))

    assert stage.roll_up(midnight(NOW.date()) + timedelta(minutes=59)) == 0
    assert stage.roll_up(midnight(NOW.date()) + timedelta(minutes=60)) == 1


def test_a_day_is_in_one_row_with_what_its_runs_came_to(stage):
    outcomes = ["success", "success", "error", "timeout", "cancelled", "lost", "skipped", "skipped"]
    stage.write(*[run_that_ended(n, ago(3, n), outcome, 10.0 * n) for n, outcome in enumerate(outcomes, 1)])

    stage.roll_up()

    [day] = [row for row in stage.days().values() if row.timed]
    assert (day.success, day.error, day.timeout, day.cancelled, day.lost, day.skipped) == (2, 1, 1, 1, 1, 2)
    assert (day.timed, day.seconds, day.last_success) == (7, 300.0, ago(3, 1))
    assert not day.is_pruned


def test_days_without_runs_between_others_are_there_too_so_that_a_gap_is_a_day_that_is_not_rolled_up(stage):
    stage.write(run_that_ended(1, ago(9)), run_that_ended(2, ago(5)))

    assert stage.roll_up() == 5
    assert sorted(stage.days()) == [5, 6, 7, 8, 9]


def test_a_second_time_only_the_newest_days_are_rolled_up_again(stage):
    stage.write(*[run_that_ended(n, ago(n)) for n in range(1, 10)])

    assert stage.roll_up() == 9
    assert stage.roll_up() == REFRESHED_DAYS


def test_a_run_that_comes_late_is_in_the_statistics_at_once_and_in_the_day_the_next_time(stage):
    stage.write(run_that_ended(1, ago(5)))
    stage.roll_up()

    stage.write(run_that_ended(2, ago(5)))

    assert stage.summary().total_runs == 2
    assert stage.days() == {}
    assert stage.roll_up() == 1
    assert stage.days()[5].success == stage.summary().total_runs == 2


def test_a_run_that_was_taken_for_lost_yesterday_and_runs_on_today_is_not_counted_twice(stage):
    stage.write(run_that_ended(1, ago(1), "lost"))
    stage.roll_up()
    stage.write(replace(run_that_ended(1, NOW), run_id=run_id(1)))

    stage.roll_up()

    assert (stage.summary().total_runs, stage.summary().lost_runs, stage.summary().successful_runs) == (1, 0, 1)


def test_pruning_deletes_whole_days_whose_roll_ups_stay_and_no_run_that_goes_on(stage):
    stage.write(*[run_that_ended(n, ago(n)) for n in range(1, 10)], started(99, started_at=ago(300)))
    before = stage.summary()

    pruned = stage.prune(4)

    assert (pruned.runs, pruned.days_rolled_up) == (5, 9)
    assert len(stage.store.page()) == 4 + 1
    assert [day for day, row in sorted(stage.days().items()) if row.is_pruned] == [5, 6, 7, 8, 9]
    after = stage.summary()
    assert exact(after) == exact(before)
    assert after.p99_duration_seconds == pytest.approx(before.p99_duration_seconds, rel=0.01)
    assert stage.prune(4).runs == 0
    assert stage.summary() == after


def test_of_a_pruned_day_nothing_is_forgotten_when_one_more_run_comes(stage):
    stage.write(run_that_ended(1, ago(9)), run_that_ended(2, ago(2)))
    stage.prune(4)

    stage.write(run_that_ended(3, ago(9)))

    assert stage.summary().total_runs == 2
    assert stage.prune(4).runs == 1
    assert stage.summary().total_runs == 2


def test_a_streak_reaches_back_further_than_the_rows(stage):
    outcomes = {9: "error", 8: "success", 7: "success", 2: "success"}
    stage.write(*[run_that_ended(n, ago(n), outcome) for n, outcome in outcomes.items()])
    stage.prune(4)

    assert stage.summary().current_streak == RunStreak("success", 3)
    assert stage.summary().last_success == ago(2)


def test_what_is_pruned_has_no_row_to_tell_when_it_began(stage):
    stage.write(run_that_ended(1, ago(9)))
    stage.prune(4)

    summary = stage.summary()

    assert (summary.last_run, summary.last_success, summary.total_runs) == (None, ago(9), 1)
    assert summary.by_day == (JobDay(ago(9).date(), 1, 0, 0, 0, 0, 1.5),)


def test_roll_ups_are_kept_for_two_years(stage):
    stage.write(run_that_ended(1, NOW - ROLLUP_RETENTION - DAY), run_that_ended(2, NOW - ROLLUP_RETENTION))
    stage.prune(4)

    assert stage.summary().total_runs == 1


def test_a_batch_is_smaller_after_a_slow_one_and_larger_after_a_quick_one(stage, monkeypatch):
    stage.write(*[run_that_ended(n, ago(9, n / 1000)) for n in range(1000)])
    sizes, delete_some = [], Retention._delete
    clock = iter([0.0, 1.0, 1.0] * 2 + [1.0] * 100)
    monkeypatch.setattr("telemetry.jobs.store.retention._PROGRESS_INTERVAL", 1e9)

    def noting(self, job_name, before, size):
        sizes.append(size)
        return delete_some(self, job_name, before, size)

    monkeypatch.setattr(Retention, "_delete", noting)
    retention = Retention(stage.engine, clock=lambda: 0.0, sleep=lambda _seconds: None)
    retention._clock = lambda: next(clock)
    retention._prune("sync", midnight(ago(4).date()))

    first = FIRST_BATCH
    assert sizes[:4] == [first, first // 2, first // 4, first // 4 * 2]
    assert stage.store.page() == []


@pytest.mark.long_on_postgresql
def test_work_that_takes_long_says_how_far_it_is(stage, caplog):
    stage.write(*[run_that_ended(n, ago(9, n / 1000)) for n in range(300)])
    clock = iter(range(0, 1_000_000, 40))

    with caplog.at_level(logging.INFO):
        stage.prune(4, clock=lambda: float(next(clock)))

    assert "Days rolled up: 1." in caplog.messages
    assert "Job runs pruned, of sync: 100 so far." in caplog.messages


def test_no_job_has_nothing_to_roll_up(stage):
    assert stage.roll_up() == 0
    assert stage.prune(4).runs == 0


def test_jobs_are_told_apart(stage):
    stage.write(run_that_ended(1, ago(5)), run_that_ended(2, ago(5), job_name="other"))
    stage.roll_up()

    assert stage.summary().total_runs == 1
    with transaction(stage.engine) as session:
        session.execute(update(JobRunRow).values(job_name="other"))
    assert stage.summary().total_runs == 1
