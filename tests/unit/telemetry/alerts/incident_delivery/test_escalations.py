"""An incident that no person acknowledges goes to the next channel of the list, once a step."""

from dataclasses import replace

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from telemetry.alerts.incident_delivery.escalations import EscalationPolicy, escalate
from telemetry.alerts.outbox.file import Outbox
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

DISK = alert("disk", state="disk")
AFTER = 900.0


@pytest.fixture
def slack():
    return Pager("slack")


@pytest.fixture
def first():
    return Pager("jsm")


@pytest.fixture
def second():
    return Pager("pagerduty")


@pytest.fixture
def machine(make_incident_machine, slack, first, second):
    targets = [Target(slack), *(Target(each, AlertLevel.ERROR, escalation_only=True) for each in (first, second))]
    return make_incident_machine(*targets, escalate_after=AFTER)


def opened(*pagers):
    return [len([each for each in pager.arrived if each.step is IncidentStep.OPEN]) for pager in pagers]


def test_each_step_goes_to_one_more_channel_after_the_time(machine, slack, first, second, clock):
    machine.report(DISK)
    found = []
    for _ in range(4):
        machine.run(AFTER - 20, pace=5)
        found.append(opened(slack, first, second))
        machine.run(40, pace=1)

    assert found == [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]


def test_an_acknowledgement_stops_it_and_is_sent_where_the_incident_is_open(machine, slack, first, second, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(3 * AFTER, pace=5)

    assert opened(slack, first, second) == [1, 1, 0]
    assert [str(each.step) for each in first.arrived] == ["open", "acknowledge"]


def test_an_end_stops_it_and_is_sent_to_all_that_have_it(machine, slack, first, second, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    machine.report(replace(DISK, is_resolved=True, at=clock()))
    machine.run(3 * AFTER, pace=5)

    assert [str(each.step) for each in first.arrived] == ["open", "resolve"]
    assert second.arrived == []


@pytest.mark.parametrize("level", [AlertLevel.INFO, AlertLevel.WARNING])
def test_what_is_below_error_is_not_escalated(machine, first, level):
    machine.report(replace(DISK, level=level))
    machine.run(3 * AFTER, pace=20)

    assert first.arrived == []


def test_what_is_silenced_is_not_escalated(machine, first, clock):
    machine.silences.create("shop", NOON + 2 * AFTER, "stock-taking", NOON)
    machine.report(DISK)
    machine.run(2 * AFTER - 20, pace=20)

    assert first.arrived == []


def test_a_channel_that_gets_the_incident_anyway_is_no_step(make_incident_machine, slack, second):
    machine = make_incident_machine(
        Target(slack, AlertLevel.ERROR), Target(second, AlertLevel.CRITICAL), escalate_after=AFTER
    )
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)

    assert opened(slack, second) == [1, 1]
    assert [str(each.step) for each in slack.arrived] == ["open"]


def test_after_hours_without_a_process_one_step_is_taken_and_not_all(machine, slack, first, second, clock):
    machine.report(DISK)
    machine.run(5)
    clock.forward(10 * AFTER)
    machine.run(60, pace=1)

    assert opened(slack, first, second) == [1, 1, 0]


def test_of_two_processes_one_escalates(machine, clock):
    machine.report(DISK)
    clock.forward(AFTER + 1)
    another = Outbox(machine.path)
    policy = EscalationPolicy(AFTER, machine.targets)

    assert [escalate(machine.outbox, policy, clock()), escalate(another, policy, clock())] == [1, 0]
    another.close()


def test_an_escalated_message_counts_as_no_late_one(machine, clock):
    machine.report(DISK)
    machine.run(AFTER + 60, pace=5)

    assert set(machine.measured.points("alert.delivery.delay")) == {("slack",)}
