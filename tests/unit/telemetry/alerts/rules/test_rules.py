import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.rules import condition
from telemetry.alerts.rules.condition import Condition, ConditionPeriod, ConditionTracker, HoldTimes
from telemetry.alerts.rules.database_down import DatabaseDownRule
from telemetry.alerts.rules.evaluator import RuleEvaluator, Rules
from telemetry.alerts.rules.job_failures import JobAlertDelivery, JobFailuresRule
from telemetry.alerts.rules.resource_usage import Thresholds, evaluate, reading
from telemetry.health.database_writes import DatabaseCheck
from telemetry.health.filesystem import Filesystem
from telemetry.health.system_resources import SystemResources
from telemetry.health.usage import Usage
from telemetry.jobs.statistics.failure_streaks import Failure, FailureStreak, failure_streaks
from telemetry.jobs.store.runs import JobRunRepository
from tests.support.job_runs import ended
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert

CONDITION = Condition("disk:var", AlertLevel.WARNING, "resources", "Disk space of var: 95% used (threshold: 90%)")
HOLD_TIMES = HoldTimes(120, 300)


@pytest.fixture
def outbox(tmp_path):
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


@pytest.fixture
def recorder(outbox, caplog):
    """The conditions that fired and were resolved; each is written into the outbox, as the pipeline does."""
    incidents, events = IncidentRepository(outbox), []

    class Pipeline(logging.Handler):
        def emit(self, record):
            attributes = vars(record)
            key, is_end = attributes["alert.state"], attributes.get("alert.ended", False)
            events.append(("resolved" if is_end else "fired", key))
            incidents.add(
                alert(
                    f"state {key}",
                    state=key,
                    is_resolved=is_end,
                    summary=record.getMessage(),
                    facts=json.loads(attributes.get("alert.facts", "{}")),
                    at=clock_now[0](),
                )
            )

    clock_now = [lambda: NOON]
    handler = Pipeline()
    condition.log.addHandler(handler)
    made = type("Recorder", (), {"events": events, "use": lambda _self, clock: clock_now.__setitem__(0, clock)})()
    yield made
    condition.log.removeHandler(handler)


@pytest.fixture
def observe(outbox, clock, recorder):
    recorder.use(clock)
    conditions = ConditionTracker(outbox, clock)

    def observe(reading, seconds, each=30):
        for _ in range(int(seconds / each)):
            conditions.observe(CONDITION, reading, HOLD_TIMES)
            clock.forward(each)

    return observe


def test_it_is_told_after_two_minutes_over_and_over_after_five_well_below(observe, recorder):
    observe("on", 120)
    assert recorder.events == []
    observe("on", 60)
    assert recorder.events == [("fired", "disk:var")]
    observe("off", 300)
    assert len(recorder.events) == 1
    observe("off", 60)

    assert recorder.events == [("fired", "disk:var"), ("resolved", "disk:var")]


def test_what_goes_up_and_down_is_neither_told_nor_over(observe, recorder):
    for _ in range(10):
        observe("on", 90)
        observe("off", 30)
    assert recorder.events == []
    observe("on", 150)
    for _ in range(10):
        observe("off", 240)
        observe("between", 30)

    assert recorder.events == [("fired", "disk:var")]


def test_looks_that_lie_far_apart_say_nothing_of_what_was_between(observe, recorder):
    observe("on", 30)
    observe("on", 600, each=300)

    assert recorder.events == []


@pytest.mark.parametrize(("percent", "expected"), [(91, "on"), (90, "between"), (86, "between"), (85, "off")])
def test_five_points_below_the_threshold_is_well_below(percent, expected):
    assert reading(Usage(percent, 100), 90) == expected


def test_disks_inodes_and_memory_are_looked_at_and_told(outbox, clock, recorder):
    recorder.use(clock)
    full = Filesystem(device=1, space=Usage(95, 100), inodes=Usage(99, 100))
    resources = SystemResources(["var"], measure=lambda _path: full, read_memory=lambda: Usage(50, 100))
    conditions = ConditionTracker(outbox, clock)
    for _ in range(6):
        found = evaluate(resources, Thresholds(90, 90), conditions)
        clock.forward(30)

    assert found == ["Disk space: 95% used (threshold: 90%)", "Disk inodes: 99% used (threshold: 90%)"]
    assert recorder.events == [("fired", "disk:var"), ("fired", "inodes:var")]


def test_a_database_that_does_not_answer_is_told_after_ten_seconds_and_its_return_too(outbox, clock, recorder):
    recorder.use(clock)
    wrong = [OSError(111, "Connection refused")]

    def ping():
        if wrong:
            raise wrong[0]

    rule = DatabaseDownRule(ping, ConditionTracker(outbox, clock))
    for _ in range(4):
        assert not rule.evaluate()
        clock.forward(5)
    assert recorder.events == [("fired", "database")]
    wrong.clear()
    for _ in range(3):
        assert rule.evaluate()
        clock.forward(5)

    assert recorder.events == [("fired", "database"), ("resolved", "database")]


def test_a_database_that_takes_no_writes_is_an_alert_with_the_reason_within_30_seconds(
    sqlite_engine, outbox, clock, recorder, caplog
):
    file = Path(sqlite_engine.url.database)
    rule = DatabaseDownRule(DatabaseCheck(sqlite_engine), ConditionTracker(outbox, clock))
    assert rule.evaluate()
    with sqlite_engine.connect() as connection:
        connection.execute(text("PRAGMA query_only=1"))

    for _ in range(5):
        clock.forward(5)
        assert not rule.evaluate()
    assert recorder.events == [("fired", "database")]
    file.rename(f"{file}.moved")
    clock.forward(5)
    assert not rule.evaluate()
    Path(f"{file}.moved").rename(file)
    with sqlite_engine.connect() as connection:
        connection.execute(text("PRAGMA query_only=0"))
    for _ in range(4):
        clock.forward(5)
        assert rule.evaluate()

    assert recorder.events == [("fired", "database"), ("resolved", "database")]
    assert caplog.messages[0] == "The database cannot be written: the database is read-only."
    assert caplog.messages[-1] == "The database answers again since 12:00 UTC. The outage lasted 35 s."


def the_last(caplog):
    return caplog.messages[-1]


def test_a_job_that_works_again_says_since_when_and_how_often_it_had_failed_for_how_long(outbox, recorder, caplog):
    jobs = Jobs(outbox, clock=lambda: NOON + 4260)

    jobs.see(failures(5))
    jobs.see([], success=datetime.fromtimestamp(NOON + 4200, UTC))

    assert the_last(caplog) == "Job 'sync' works again since 13:10 UTC. It failed 5 times in 1 h 10 min."


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"Failures": "100 or more in a row, since 2025-10-02 09:00:00 UTC"}, "It failed 100 or more times in 4 h."),
        ({"Failures": "1 in a row, since 2025-10-02 12:30:00 UTC"}, "It had been failing for 30 min."),
        ({"Failures": "many"}, "It had been failing for 1 h."),
        ({"Failures": "3 in a row, since 2025-99-99 12:30:00 UTC"}, "It had been failing for 1 h."),
        ({}, "It had been failing for 1 h."),
    ],
)
def test_the_end_of_failures_is_told_by_what_the_outbox_knows_of_them(outbox, recorder, caplog, kept, said):
    IncidentRepository(outbox).add(alert("state job:sync", state="job:sync", facts=kept))

    Jobs(outbox, clock=lambda: NOON + 3600).see([], success=datetime.fromtimestamp(NOON + 3600, UTC))

    assert the_last(caplog) == f"Job 'sync' works again since 13:00 UTC. {said}"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("missed:sync", "Job sync runs again since 12:02 UTC. The delay lasted 2 min."),
        ("overdue:sync", "Job sync is no longer overdue since 12:02 UTC. The run was overdue for 2 min."),
    ],
)
def test_the_end_of_missed_and_overdue_runs_says_what_works_again(outbox, recorder, caplog, state, said):
    IncidentRepository(outbox).add(alert(f"state {state}", state=state, summary="Job sync did not begin"))

    Jobs(outbox, clock=lambda: NOON + 130).see([], success=datetime.fromtimestamp(NOON + 120, UTC))

    assert the_last(caplog) == said


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (ConditionPeriod(NOON - 90_000, NOON, NOON), "It works again since 12:00 UTC. It was down for 1 d 1 h."),
        (
            ConditionPeriod(NOON - 12, NOON, NOON + 86_400),
            "It works again since 2025-10-02 12:00 UTC. It was down for 12 s.",
        ),
        (ConditionPeriod(NOON, NOON, NOON), "It works again since 12:00 UTC. It was down for 0 s."),
        (ConditionPeriod(None, NOON, NOON), "It works again since 12:00 UTC."),
        (ConditionPeriod(NOON + 60, NOON, NOON), "It works again since 12:00 UTC."),  # the clock was set back
    ],
)
def test_an_end_says_how_long_it_lasted_if_that_is_known(period, said):
    ended = Condition("it", AlertLevel.ERROR, "it", "It fails.", resolved="It works again", lasted="It was down for")

    assert condition.resolution(ended, period) == said


def test_a_condition_of_other_code_that_does_not_say_what_works_again_is_named():
    assert condition.resolution(CONDITION, ConditionPeriod(NOON - 60, NOON, NOON)) == (
        "Resolved: Disk space of var: 95% used (threshold: 90%) since 12:00 UTC. It lasted 1 min."
    )


def failures(number, *, host="here", since=NOON):
    return [
        Failure(
            datetime.fromtimestamp(since + each * 60, UTC), f"{host}:1", "error", "no", "GET /x 500", f"{each + 1:048x}"
        )
        for each in range(number)
    ]


class Alone:
    """The claims of a machine beside which there is none."""

    def read(self):
        return {}

    def claim(self, _job_name, _last_success):
        return True

    def renew(self, job_name, last_success):
        pass

    mark_told = renew


class Jobs:
    def __init__(self, outbox, threshold=3, clock=time.time):
        self.streak = FailureStreak("sync", [], None, None)
        delivery = JobAlertDelivery(Alone(), lambda: True, clock)
        self._rule = JobFailuresRule(lambda: [self.streak], IncidentRepository(outbox), threshold, delivery)

    def see(self, failed, success=None, ended=None):
        self.streak = FailureStreak("sync", failed, success, failed[-1].ended_at if failed else success, ended=ended)
        self._rule.evaluate()


def test_a_job_alerts_at_its_third_failure_in_a_row_and_its_first_success_ends_that(outbox, recorder):
    jobs = Jobs(outbox)

    jobs.see(failures(2))
    assert recorder.events == []
    jobs.see(failures(3))
    jobs.see(failures(3))
    jobs.see(failures(4))
    jobs.see([], success=datetime.fromtimestamp(NOON + 600, UTC))
    jobs.see([], success=datetime.fromtimestamp(NOON + 600, UTC))

    assert recorder.events == [("fired", "job:sync"), ("fired", "job:sync"), ("resolved", "job:sync")]


@pytest.mark.parametrize(
    ("seen", "number", "now", "events"),
    [
        (0, 3, NOON + 130, ["fired", "resolved"]),
        (2, 3, NOON + 130, ["fired", "resolved"]),
        (3, 3, NOON + 130, ["fired", "resolved"]),
        (3, 4, NOON + 190, ["fired", "fired", "resolved"]),
        (0, 2, NOON + 130, []),
        (0, 3, NOON + 600, []),
    ],
    ids=["unseen", "partly seen", "seen", "one more", "too few", "too long ago"],
)
def test_failures_that_a_success_ends_before_they_are_looked_at_are_told_once(
    outbox, recorder, seen, number, now, events
):
    jobs = Jobs(outbox, clock=lambda: now)
    success = datetime.fromtimestamp(NOON + 600, UTC)
    over = FailureStreak("sync", failures(number), None, None)

    jobs.see(failures(seen))
    for process in (jobs, jobs, jobs, Jobs(outbox, clock=lambda: now)):
        process.see([], success, over)

    assert [what for what, _ in recorder.events] == events


def test_failures_while_the_database_was_away_are_its_fault(outbox, recorder):
    IncidentRepository(outbox).add(alert("state database", state="database", at=NOON))
    jobs = Jobs(outbox)

    jobs.see(failures(3))
    assert recorder.events == []
    IncidentRepository(outbox).add(alert("state database", state="database", is_resolved=True, at=NOON + 200))
    jobs.see(failures(8))

    assert recorder.events == [("fired", "job:sync")]


def test_a_missed_run_is_over_with_the_next_success_and_an_overdue_one_with_any_end(outbox, recorder):
    for key in ("missed:sync", "overdue:sync"):
        IncidentRepository(outbox).add(alert(f"state {key}", state=key))
    jobs = Jobs(outbox)

    jobs.see(failures(1, since=NOON + 60))
    assert recorder.events == [("resolved", "overdue:sync")]
    jobs.see([], success=datetime.fromtimestamp(NOON + 120, UTC))

    assert recorder.events == [("resolved", "overdue:sync"), ("resolved", "missed:sync")]


def test_a_streak_is_what_failed_since_the_last_success_of_any_process(engine):
    store, begun = JobRunRepository(engine), datetime(2025, 10, 2, 12, tzinfo=UTC)
    outcomes = ["success", "error", "cancelled", "timeout"]
    for number, outcome in enumerate(outcomes):
        at = begun + timedelta(minutes=number)
        status = "success" if outcome == "success" else "failed"
        store.write([ended(number + 1, job_name="sync", started_at=at, finished_at=at, status=status, outcome=outcome)])

    [found] = failure_streaks(engine)

    assert found.job_name == "sync"
    assert [each.outcome for each in found.failures] == ["error", "timeout"]
    assert found.last_success == begun
    assert found.last_end == begun + timedelta(minutes=3)
    assert not found.is_truncated
    assert found.ended is None

    at = begun + timedelta(minutes=9)
    store.write([ended(9, job_name="sync", started_at=at, finished_at=at, status="success", outcome="success")])

    assert [each.ended for each in failure_streaks(engine)] == [found]


class CountingRule:
    def __init__(self):
        self.evaluations = 0

    def evaluate(self):
        self.evaluations += 1
        return True


def test_one_process_of_a_machine_looks_each_thing_at_its_pace(outbox, clock):
    database, jobs, resources = CountingRule(), CountingRule(), CountingRule()
    leases = OutboxLeases(outbox)
    evaluator = RuleEvaluator(Rules(database, jobs, resources.evaluate), leases, "first", clock)
    other = RuleEvaluator(Rules(CountingRule(), CountingRule(), CountingRule().evaluate), leases, "second", clock)

    for _ in range(12):
        clock.forward(5)
        evaluator.evaluate()
        other.evaluate()

    assert (database.evaluations, jobs.evaluations, resources.evaluations) == (12, 6, 2)


def test_a_forked_child_does_not_look_by_the_lease_of_its_parent(outbox, clock):
    database = CountingRule()
    evaluator = RuleEvaluator(
        Rules(database, CountingRule(), CountingRule().evaluate), OutboxLeases(outbox), "first", clock
    )
    clock.forward(5)
    evaluator.evaluate()
    assert database.evaluations == 1

    evaluator.restart_in_child()
    clock.forward(5)
    evaluator.evaluate()

    assert database.evaluations == 1
