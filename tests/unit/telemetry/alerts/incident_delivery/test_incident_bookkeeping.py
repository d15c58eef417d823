"""Incidents are measured once; without Telegram and the webhook what no channel takes is recorded only."""

from dataclasses import replace

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from telemetry.alerts.incident_delivery.incident_bookkeeping import IncidentMeasurements
from telemetry.alerts.outbox import maintenance
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

DISK = alert("disk", state="disk")


@pytest.fixture
def pager():
    return Pager()


@pytest.fixture
def machine(make_incident_machine, pager):
    return make_incident_machine(Target(pager, AlertLevel.ERROR), has_chain=False)


def sums(machine, name):
    return {key: (point.count, point.sum) for key, point in machine.measured.points(name).items()}


def test_the_time_to_acknowledge_and_to_resolve_is_measured_once(machine, clock):
    machine.report(DISK)
    machine.run(60, pace=1)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(30, pace=1)
    machine.start()
    another = IncidentMeasurements(machine.outbox, machine.measured.meter)
    another.record()
    machine.report(replace(DISK, is_resolved=True, at=clock()))
    machine.run(60, pace=1)
    another.record()

    assert sums(machine, "alert.acknowledge.duration") == {("ERROR",): (1, 60.0)}
    assert sums(machine, "alert.resolve.duration") == {("ERROR",): (1, 90.0)}


def test_what_was_acknowledged_and_resolved_since_the_last_time_is_measured_as_both(machine, clock):
    machine.report(DISK)
    clock.forward(10)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.report(replace(DISK, is_resolved=True, at=clock()))
    machine.run(10)

    assert sums(machine, "alert.acknowledge.duration") == sums(machine, "alert.resolve.duration")


def test_what_expired_is_not_measured_as_resolved(machine):
    machine.report(alert())
    machine.run(EXPIRE_AFTER + 60, pace=30)

    assert sums(machine, "alert.resolve.duration") == {}


def test_without_telegram_what_a_channel_took_is_sent_and_expires(machine, pager, clock):
    machine.report(alert())
    machine.run(10)
    (record,) = machine.queries.page(clock())
    assert (record.state, record.channel) == ("sent", "pagerduty")
    assert machine.queries.counts(clock()).pending == 0

    machine.run(EXPIRE_AFTER + 60, pace=30)

    assert pager.sent() == [("open", "shop"), ("resolve", "shop")]


def test_without_telegram_what_no_channel_takes_is_recorded_only(machine, pager, clock):
    machine.report(alert(level=AlertLevel.WARNING), replace(DISK, level=AlertLevel.WARNING))
    machine.run(10)
    machine.report(replace(DISK, is_resolved=True, at=clock()))
    machine.run(10)

    assert pager.arrived == []
    assert {each.incident.fingerprint: each.state for each in machine.queries.page(clock())} == {
        "shop": "recorded",
        "disk": "ended",
    }
    counts = machine.queries.counts(clock())
    assert (counts.pending, counts.notified, counts.firing) == (0, 0, 1)


def test_without_telegram_an_incident_waits_while_its_channel_is_down(machine, pager, clock):
    pager.fault = lambda _event: "down"
    machine.report(DISK)
    machine.run(60)

    assert machine.queries.counts(clock()).pending == 1


def test_without_telegram_old_incidents_are_pruned_with_their_deliveries(machine, clock):
    for number in range(3):
        machine.report(replace(DISK, at=clock()), alert(f"kind{number}", level=AlertLevel.INFO, at=clock()))
        machine.run(10)
        machine.report(replace(DISK, is_resolved=True, at=clock()))
        machine.run(EXPIRE_AFTER + 60, pace=30)
    clock.forward(maintenance.RETENTION + 60)

    with machine.outbox.transaction() as connection:
        maintenance.prune(connection, clock())
        left = [
            connection.execute("SELECT count(*) FROM incidents").fetchone()[0],
            connection.execute("SELECT count(*) FROM deliveries").fetchone()[0],
        ]

    assert left == [0, 0]


def test_a_raised_level_makes_a_recorded_incident_one_that_is_sent(machine, pager, clock):
    machine.report(alert(level=AlertLevel.WARNING))
    machine.run(10)
    machine.report(alert(level=AlertLevel.CRITICAL, at=clock()))
    machine.run(10)

    assert pager.sent() == [("open", "shop")]
    assert [each.state for each in machine.queries.page(clock())] == ["sent"]
