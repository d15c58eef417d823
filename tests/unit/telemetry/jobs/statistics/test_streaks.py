"""The API and the alerts agree on how many runs of a job failed in a row, on both databases and with pruned rows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from telemetry.database import transaction
from telemetry.jobs.statistics.failure_streaks import MAX_FAILURES, failure_streaks
from telemetry.jobs.statistics.streaks import RunStreak
from telemetry.jobs.statistics.summary import job_statistics
from telemetry.jobs.store.retention import Retention
from telemetry.jobs.store.rollups import roll_up
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobRunDayRow, JobRunRow
from tests.support.job_runs import ended, started

NOW = datetime(2025, 10, 20, 12, tzinfo=UTC)
OUTCOMES = {"S": "success", "E": "error", "T": "timeout", "C": "cancelled", "L": "lost", "W": "skipped"}
KEEP_DAYS = 4
per_engine = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)

pytestmark = pytest.mark.long_on_postgresql


def run_that_ended(number, hours_ago, letter):
    """Runs with a higher number are written later; it says nothing about when they end."""
    end = NOW - timedelta(hours=hours_ago)
    return ended(number, OUTCOMES[letter], finished_at=end, started_at=end - timedelta(seconds=1), heartbeat_at=end)


class Stage:
    def __init__(self, engine):
        self.engine, self.repository = engine, JobRunRepository(engine, lambda: NOW)

    def clear(self):
        with transaction(self.engine) as session:
            session.execute(delete(JobRunRow))
            session.execute(delete(JobRunDayRow))

    def write(self, *runs):
        self.clear()
        self.repository.write(runs)

    def write_hourly(self, letters):
        self.write(*[run_that_ended(n, len(letters) - n, letter) for n, letter in enumerate(letters)])

    def roll_up(self):
        roll_up(self.engine, ["sync"], NOW)

    def prune(self):
        Retention(self.engine, sleep=lambda _seconds: None).prune(["sync"], KEEP_DAYS, NOW)

    def api(self, window=None):
        return job_statistics(self.engine, "sync", window=window, now=NOW).current_streak

    def alert(self):
        [streak] = failure_streaks(self.engine)
        return streak

    def failures_in_a_row(self):
        """As the API says and as the alert says."""
        streak = self.api()
        return streak.runs if streak is not None and streak.status == "failed" else 0, self.alert().runs


@pytest.fixture
def stage(engine):
    return Stage(engine)


def expected_streak(letters):
    """The newest runs of the same result; cancelled and skipped ones are left out."""
    results = ["success" if letter == "S" else "failed" for letter in letters if letter not in "CW"]
    runs = 0
    while runs < len(results) and results[-1 - runs] == results[-1]:
        runs += 1
    return RunStreak(results[-1], runs) if results else None


@pytest.mark.parametrize(
    ("letters", "streak"),
    [
        ("S", RunStreak("success", 1)),
        ("E", RunStreak("failed", 1)),
        ("SET", RunStreak("failed", 2)),
        ("SETL", RunStreak("failed", 3)),
        ("ETLSS", RunStreak("success", 2)),
        ("C", None),
        ("CC", None),
        ("SC", RunStreak("success", 1)),
        ("SCS", RunStreak("success", 2)),
        ("SEC", RunStreak("failed", 1)),
        ("SECCE", RunStreak("failed", 2)),
        ("ESC", RunStreak("success", 1)),
        ("CE", RunStreak("failed", 1)),
        ("SEWWEW", RunStreak("failed", 2)),
        ("ESWW", RunStreak("success", 1)),
        ("WW", None),
    ],
)
def test_errors_timeouts_and_lost_runs_are_failures_and_a_cancelled_run_neither_counts_nor_ends_a_streak(
    stage, letters, streak
):
    stage.write_hourly(letters)

    failures = streak.runs if streak is not None and streak.status == "failed" else 0
    assert stage.api() == streak == expected_streak(letters)
    assert stage.failures_in_a_row() == (failures, failures)
    assert [failure.outcome for failure in stage.alert().failures] == [
        OUTCOMES[letter] for letter in letters.translate(dict.fromkeys(map(ord, "CW")))[-failures or len(letters) :]
    ]


def test_a_run_that_is_still_running_changes_nothing(stage):
    runs = [run_that_ended(n, 5 - n, letter) for n, letter in enumerate("SEE")]
    stage.write(*runs, started(9, started_at=NOW))

    assert stage.failures_in_a_row() == (2, 2)


def test_a_failure_that_began_after_the_last_success_and_ended_before_it_is_over(stage):
    stage.write(run_that_ended(1, 1, "S"), run_that_ended(2, 3, "E"))

    assert stage.api() == RunStreak("success", 1)
    assert stage.alert().failures == []


def test_an_old_success_that_is_written_late_ends_no_streak(stage):
    stage.write(run_that_ended(1, 3, "E"), run_that_ended(2, 2, "E"), run_that_ended(3, 10, "S"))

    assert stage.failures_in_a_row() == (2, 2)
    assert stage.alert().last_success == NOW - timedelta(hours=10)


def test_of_runs_that_ended_at_the_same_time_the_one_that_was_written_last_is_the_newest(stage):
    stage.write(run_that_ended(1, 2, "S"), run_that_ended(2, 2, "E"), run_that_ended(3, 2, "E"))
    assert stage.failures_in_a_row() == (2, 2)

    stage.write(run_that_ended(1, 2, "E"), run_that_ended(2, 2, "S"))
    assert stage.api() == RunStreak("success", 1)
    assert stage.failures_in_a_row() == (0, 0)


def test_a_window_counts_only_the_runs_that_ended_in_it(stage):
    stage.write_hourly("SEEECE")

    assert stage.api(timedelta(hours=3.5)) == RunStreak("failed", 2)
    assert stage.api(timedelta(hours=2.5)) == RunStreak("failed", 1)
    assert stage.api(timedelta(minutes=1)) is None


def test_more_failures_than_the_alert_lists_are_counted(stage):
    stage.write(*[run_that_ended(n, 1 - n / 1000, "E") for n in range(MAX_FAILURES + 5)])

    assert stage.failures_in_a_row() == (MAX_FAILURES + 5, MAX_FAILURES + 5)
    assert len(stage.alert().failures) == MAX_FAILURES
    assert stage.alert().is_truncated


def days_ago(days, letters, start=0):
    return [run_that_ended(start + n, 24 * days - n, letter) for n, letter in enumerate(letters)]


def test_a_streak_reaches_back_into_days_whose_rows_are_pruned(stage):
    stage.write(*days_ago(9, "S"), *days_ago(8, "EC", 10), *days_ago(7, "T", 20), *days_ago(1, "EL", 30))
    stage.prune()

    alert = stage.alert()
    assert stage.failures_in_a_row() == (4, 4)
    assert (len(alert.failures), alert.is_truncated) == (2, True)
    assert alert.last_success == NOW - timedelta(days=9)
    assert alert.last_end == NOW - timedelta(hours=23)


def test_a_pruned_day_with_both_results_ends_a_streak_and_does_not_count(stage):
    stage.write(*days_ago(8, "SEE"), *days_ago(7, "E", 10), *days_ago(1, "E", 20))
    stage.prune()

    assert stage.failures_in_a_row() == (2, 2)


def test_a_streak_is_unknown_if_the_newest_runs_are_on_one_pruned_day_with_both_results(stage):
    stage.write(*days_ago(8, "SE"), *days_ago(1, "C", 10))
    stage.prune()

    assert stage.api() is None
    assert stage.failures_in_a_row() == (0, 0)


def test_a_pruned_day_of_cancelled_runs_changes_nothing(stage):
    stage.write(*days_ago(9, "S"), *days_ago(8, "E", 10), *days_ago(7, "CC", 20), *days_ago(1, "E", 30))
    stage.prune()

    assert stage.failures_in_a_row() == (2, 2)


runs = st.lists(st.tuples(st.integers(0, 10 * 24), st.sampled_from("SSETCLW")), min_size=1, max_size=40)


@pytest.mark.long_on_postgresql
@per_engine
@given(runs=runs, is_rolled_up=st.booleans())
def test_api_and_alert_agree_on_any_sequence_whatever_the_order_in_which_it_is_written(stage, runs, is_rolled_up):
    stage.write(*[run_that_ended(number, hours, letter) for number, (hours, letter) in enumerate(runs)])
    if is_rolled_up:
        stage.roll_up()
    by_end = [
        letter for _, _, letter in sorted((-hours, number, letter) for number, (hours, letter) in enumerate(runs))
    ]

    streak = expected_streak(by_end)
    failures = streak.runs if streak is not None and streak.status == "failed" else 0
    assert stage.api() == streak
    assert stage.failures_in_a_row() == (failures, failures)


@pytest.mark.long_on_postgresql
@per_engine
@given(runs=runs)
def test_api_and_alert_agree_when_rows_are_pruned_and_never_count_more_than_there_were(stage, runs):
    last = run_that_ended(len(runs), 0, "E")
    stage.write(*[run_that_ended(number, hours, letter) for number, (hours, letter) in enumerate(runs)], last)
    before = stage.api()

    stage.prune()

    after = stage.api()
    assert stage.failures_in_a_row() == (after.runs, after.runs)
    assert (after.status, before.status) == ("failed", "failed")
    assert 1 <= after.runs <= before.runs
    assert stage.alert().last_success == last_success(runs)


def last_success(runs):
    return max((NOW - timedelta(hours=hours) for hours, letter in runs if letter == "S"), default=None)
