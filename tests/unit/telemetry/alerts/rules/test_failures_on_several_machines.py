"""Failures of a job in a row are told once, by whichever machine sees them first in the database."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.rules import condition
from telemetry.alerts.rules.job_failures import JobAlertDelivery, JobFailuresRule
from telemetry.jobs.statistics.failure_streaks import failure_streaks
from telemetry.jobs.store.failure_alerts import CLAIM_LENGTH, FailureClaims
from telemetry.jobs.store.runs import JobRunRepository
from telemetry.jobs.store.tables import JobFailureAlertRow
from tests.support.job_runs import ended
from tests.unit.telemetry.alerts.conftest import alert

pytestmark = pytest.mark.long_on_postgresql

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)


class Cluster:
    """Machines with an outbox each and one database. The runs are those of hosts that are gone."""

    def __init__(self, engine, home, clock):
        self.engine, self.home, self.clock = engine, home, clock
        self.runs, self.machines, self.told = 0, [], []

    def machine(self, **delivery):
        self.machines.append(Machine(self, self.home / f"{len(self.machines)}.db", **delivery))
        return self.machines[-1]

    def fail(self, number, job="sync"):
        for _ in range(number):
            self._run(job, status="failed", outcome="error")

    def succeed(self, job="sync"):
        self._run(job, status="success", outcome="success")

    def _run(self, job, **values):
        self.runs += 1
        at = NOON + timedelta(minutes=self.runs)
        run = ended(self.runs, job_name=job, started_at=at, finished_at=at, worker=f"pod-{self.runs}:1", **values)
        JobRunRepository(self.engine).write([run])

    def expire_claims(self):
        """Let as much time pass as a claim lasts, by the clock of the database."""
        row = JobFailureAlertRow.__table__
        with self.engine.begin() as connection:
            for name, until in connection.execute(row.select().with_only_columns(row.c.job_name, row.c.claimed_until)):
                connection.execute(
                    row.update().where(row.c.job_name == name).values(claimed_until=until - CLAIM_LENGTH)
                )


class Machine:
    def __init__(self, cluster, path, *, can_send=True, claims=None):
        self.cluster, self.can_send = cluster, can_send
        self.outbox = Outbox(path)
        self.incidents = IncidentRepository(self.outbox)
        self.claims = claims or FailureClaims(cluster.engine)
        self.events = []
        self.start()

    def start(self):
        delivery = JobAlertDelivery(self.claims, lambda: self.can_send, self.cluster.clock)
        streaks = lambda: failure_streaks(self.cluster.engine)  # noqa: E731
        self.rule = JobFailuresRule(streaks, self.incidents, 3, delivery)

    def look(self):
        """Evaluate the rule. What it fires or resolves is written into this machine's outbox."""
        handler = _ToOutbox(self)
        condition.log.addHandler(handler)
        try:
            self.rule.evaluate()
        finally:
            condition.log.removeHandler(handler)

    def send(self):
        """Send what is pending, as the dispatcher does."""
        with self.outbox.transaction() as connection:
            rows = connection.execute("SELECT id, state FROM incidents WHERE told_post IS NULL AND ended_at IS NULL")
            for row in rows.fetchall():
                self.cluster.told.append((self.cluster.machines.index(self), row["state"]))
                connection.execute("UPDATE incidents SET told_post = 1, told_at = 1 WHERE id = ?", (row["id"],))


class _ToOutbox(logging.Handler):
    def __init__(self, machine):
        super().__init__()
        self.machine = machine

    def emit(self, record):
        values = vars(record)
        key, is_end = values["alert.state"], values.get("alert.ended", False)
        self.machine.events.append(("resolved" if is_end else "fired", key))
        self.machine.incidents.add(
            alert(
                f"state {key}",
                state=key,
                is_resolved=is_end,
                summary=record.getMessage(),
                at=self.machine.cluster.clock(),
            )
        )


@pytest.fixture
def cluster(engine, tmp_path, clock):
    made = Cluster(engine, tmp_path, clock)
    yield made
    for machine in made.machines:
        machine.outbox.close()


def test_a_job_that_fails_on_hosts_that_are_gone_is_told_once_by_who_sees_it_first(cluster):
    first, second, third = cluster.machine(), cluster.machine(), cluster.machine()
    for _ in range(8):
        cluster.fail(1)
        for machine in (second, first, third):
            machine.look()
            machine.send()

    assert cluster.told == [(1, "job:sync")]
    cluster.succeed()
    for machine in cluster.machines:
        machine.look()
    assert [machine.events[-1:] for machine in cluster.machines] == [[], [("resolved", "job:sync")], []]


def test_eight_failures_that_somebody_sees_only_later_are_told_once(cluster):
    cluster.fail(8)
    machines = [cluster.machine() for _ in range(3)]

    for _ in range(3):
        for machine in machines:
            machine.look()
            machine.send()

    assert cluster.told == [(0, "job:sync")]


def test_failures_that_a_success_ended_before_anybody_saw_them_are_told_once(cluster):
    machines = [cluster.machine() for _ in range(3)]
    cluster.fail(3)
    cluster.succeed()

    for _ in range(3):
        for machine in machines:
            machine.look()
            machine.send()

    assert cluster.told == [(0, "job:sync")]
    assert [machine.events for machine in machines] == [[("fired", "job:sync"), ("resolved", "job:sync")], [], []]


def test_each_job_is_told_and_each_time_that_it_begins_to_fail(cluster):
    one, other = cluster.machine(), cluster.machine()
    for _ in range(3):
        cluster.fail(3)
        cluster.fail(4, job="report")
        one.look(), one.send(), other.look(), other.send()
        cluster.succeed()
        cluster.succeed(job="report")
        other.look(), one.look()

    assert cluster.told == [(0, "job:report"), (0, "job:sync")] * 3


def test_a_job_that_recovered_and_failed_again_while_nobody_looked_is_told_again(cluster):
    gone = cluster.machine()
    cluster.fail(3)
    gone.look(), gone.send(), gone.look()
    cluster.succeed()
    cluster.fail(3)

    later = cluster.machine()
    later.look(), later.send()

    assert cluster.told == [(0, "job:sync"), (1, "job:sync")]


@pytest.mark.parametrize("fires", [True, False], ids=["after it fired", "before it fired"])
def test_a_machine_that_dies_between_its_claim_and_its_message_leaves_it_to_another(cluster, fires):
    dead, other = cluster.machine(), cluster.machine()
    cluster.fail(3)
    if fires:
        dead.look()
    else:
        assert dead.claims.claim("sync", None)

    other.look(), other.send()
    assert cluster.told == []
    cluster.expire_claims()
    other.look(), other.send()

    assert cluster.told == [(1, "job:sync")]


def test_a_machine_that_waits_for_its_channel_keeps_its_claim_as_long_as_it_lives(cluster):
    waiting, other = cluster.machine(), cluster.machine()
    cluster.fail(3)

    for _ in range(5):
        waiting.look()
        other.look()
        cluster.expire_claims()
    waiting.look()
    other.look()
    waiting.send()

    assert (len(waiting.events), other.events) == (1, [])
    assert cluster.told == [(0, "job:sync")]


def test_a_machine_whose_channel_is_disabled_does_not_keep_the_others_from_telling_and_does_not_tell_later(cluster):
    broken, other = cluster.machine(), cluster.machine()
    cluster.fail(3)
    broken.look()
    broken.can_send = False
    broken.look()
    cluster.expire_claims()
    broken.look()

    other.look(), other.send(), other.look()
    broken.look()
    broken.can_send = True
    broken.look(), broken.send()

    assert cluster.told == [(1, "job:sync")]


def test_a_machine_without_a_channel_shows_it_and_leaves_the_telling_to_others(cluster):
    silent, other = cluster.machine(can_send=False), cluster.machine()
    cluster.fail(3)

    silent.look()
    assert silent.incidents.open_conditions().keys() == {"job:sync"}
    other.look(), other.send(), other.look()
    silent.look(), silent.send()

    assert cluster.told == [(1, "job:sync")]


def test_a_machine_that_starts_again_goes_on_with_what_it_told(cluster):
    machine, other = cluster.machine(), cluster.machine()
    cluster.fail(3)
    machine.look(), machine.send()
    machine.start()
    machine.look()
    cluster.expire_claims()

    other.look(), other.send()
    cluster.fail(1)
    machine.look()

    assert cluster.told == [(0, "job:sync")]
    assert machine.events == [("fired", "job:sync")] * 2


def test_an_alert_of_an_earlier_version_is_not_told_again(cluster):
    """It knew of no claims."""
    machine, other = cluster.machine(), cluster.machine()
    cluster.fail(3)
    machine.incidents.add(alert("state job:sync", state="job:sync"))
    machine.send()

    machine.look()
    other.look(), other.send()

    assert cluster.told == [(0, "job:sync")]


def test_a_process_that_ends_notes_what_it_has_told_since_it_looked(cluster):
    ending, other = cluster.machine(), cluster.machine()
    cluster.fail(3)
    ending.look(), ending.send()
    ending.rule.note_told()
    cluster.expire_claims()

    other.look(), other.send()

    assert cluster.told == [(0, "job:sync")]


def test_of_machines_that_look_at_once_one_claims(cluster):
    claims = [FailureClaims(cluster.engine) for _ in range(3)]
    last_success = NOON

    assert [each.claim("sync", None) for each in claims] == [True, False, False]
    assert [each.claim("sync", last_success) for each in claims] == [True, False, False]
    claims[0].mark_told("sync", last_success)
    cluster.expire_claims()
    assert [each.claim("sync", last_success) for each in claims] == [False] * 3
    claims[1].renew("sync", last_success)
    assert claims[2].read()["sync"].is_told
    assert [each.claim("sync", None) for each in claims] == [False] * 3  # the success is pruned by now
    assert [each.claim("sync", last_success + timedelta(hours=1)) for each in claims] == [True, False, False]


def test_of_threads_that_claim_at_the_same_time_one_does(cluster):
    claims = [FailureClaims(cluster.engine) for _ in range(8)]
    for hour in range(12):
        start = threading.Barrier(len(claims))

        def claim(each, start=start, last_success=NOON + timedelta(hours=hour)):
            each.read()
            start.wait()
            return each.claim("sync", last_success)

        with ThreadPoolExecutor(len(claims)) as pool:
            assert sum(pool.map(claim, claims)) == 1


def test_a_claim_from_before_the_clock_was_set_back_ends(cluster):
    ahead, claims = (
        FailureClaims(cluster.engine, lambda: datetime.now(UTC) + timedelta(days=1)),
        FailureClaims(cluster.engine),
    )
    assert ahead.claim("sync", None)
    row = JobFailureAlertRow.__table__
    with cluster.engine.begin() as connection:
        connection.execute(row.update().values(claimed_until=datetime.now(UTC) + timedelta(days=1)))

    assert claims.claim("sync", None)
    assert not claims.claim("sync", None)


def test_without_the_table_each_machine_tells(cluster):
    with cluster.engine.begin() as connection:
        connection.execute(text("DROP TABLE job_failure_alerts"))
    one, other = cluster.machine(), cluster.machine()
    cluster.fail(3)

    for machine in (one, other):
        machine.look(), machine.send(), machine.look()
        machine.rule.note_told()

    assert cluster.told == [(0, "job:sync"), (1, "job:sync")]
    assert not inspect(cluster.engine).has_table("job_failure_alerts")
