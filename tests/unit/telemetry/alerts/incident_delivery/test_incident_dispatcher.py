"""Each channel that keeps incidents is sent each step of each incident once, at its own pace."""

from dataclasses import replace

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

DISK = alert("disk", state="disk")


def resolved(fired, at):
    return replace(fired, is_resolved=True, at=at, summary="The disk has space again")


@pytest.fixture
def pager():
    return Pager()


@pytest.fixture
def machine(make_incident_machine, pager):
    return make_incident_machine(Target(pager))


def test_an_incident_is_opened_acknowledged_and_resolved_under_one_key(machine, pager, clock):
    machine.report(DISK)
    machine.run(5)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(5)
    machine.report(resolved(DISK, clock()))
    machine.run(5)

    assert pager.sent() == [("open", "disk"), ("acknowledge", "disk"), ("resolve", "disk")]
    assert pager.arrived[1].acknowledged_by == "anna"
    assert pager.arrived[1].remote_id == pager.arrived[2].remote_id == "pagerduty:disk"
    assert "The disk has space again" in pager.arrived[2].message.plain


def test_repeats_update_it_at_most_once_a_minute(machine, pager, clock):
    for _ in range(150):
        machine.report(alert(at=clock()))
        machine.run(1)

    updates = pager.of("shop", IncidentStep.UPDATE)
    assert [str(each.step) for each in pager.arrived] == ["open"] + ["update"] * len(updates)
    assert len(updates) == 2
    assert updates[-1].incident.count > 100


def test_an_open_incident_without_repeats_is_sent_again_after_a_day(machine, pager):
    machine.report(DISK)
    machine.run(2 * 86_400, pace=600)

    assert [str(each.step) for each in pager.arrived] == ["open", "update"]


def test_a_restart_opens_nothing_twice(machine, pager, clock):
    machine.report(alert())
    machine.run(2)
    machine.start()
    clock.forward(31)
    machine.run(5)

    assert pager.sent() == [("open", "shop")]


def test_what_ended_before_it_was_opened_is_not_opened(machine, pager, clock):
    pager.fault = lambda _event: "down"
    machine.report(DISK)
    machine.run(1)
    machine.report(resolved(DISK, clock()))
    pager.fault = lambda _event: None
    machine.run(120)

    assert pager.arrived == []


def test_what_ended_otherwise_than_by_a_recovery_is_resolved_and_says_how(machine, pager):
    machine.report(alert())
    machine.run(2)
    with machine.outbox.transaction() as connection:
        connection.execute("UPDATE incidents SET told_post = 1, told_count = count")
    machine.run(EXPIRE_AFTER + 60, pace=60)

    assert pager.sent() == [("open", "shop"), ("resolve", "shop")]
    assert "not reported again" in pager.arrived[1].message.plain


@pytest.mark.parametrize(
    ("level", "lowest", "is_opened"),
    [("WARNING", "ERROR", False), ("ERROR", "ERROR", True), ("CRITICAL", "ERROR", True), ("INFO", "INFO", True)],
)
def test_a_channel_opens_only_what_its_level_allows(make_incident_machine, pager, level, lowest, is_opened):
    machine = make_incident_machine(Target(pager, AlertLevel(lowest)))
    machine.report(alert(level=AlertLevel(level)))

    machine.run(5)

    assert bool(pager.arrived) == is_opened


def test_an_incident_whose_level_rises_is_opened_then(make_incident_machine, pager, clock):
    machine = make_incident_machine(Target(pager, AlertLevel.ERROR))
    machine.report(alert(level=AlertLevel.WARNING))
    machine.run(2)
    machine.report(alert(level=AlertLevel.CRITICAL, at=clock()))
    machine.run(2)

    assert [(str(each.step), each.incident.level) for each in pager.arrived] == [("open", "CRITICAL")]


def test_a_silenced_incident_is_opened_after_the_silence_if_it_goes_on(machine, pager, clock):
    machine.silences.create("shop", NOON + 600, "stock-taking", NOON)
    machine.report(DISK)
    machine.run(60)
    assert pager.arrived == []

    clock.forward(600)
    machine.run(5)

    assert pager.sent() == [("open", "disk")]


def test_an_inhibited_incident_is_not_opened(machine, pager):
    machine.report(alert("outage", state="database"), alert("query", inhibited_by="database"))
    machine.run(60)

    assert pager.sent() == [("open", "outage")]


def test_the_end_of_the_earlier_incident_of_a_key_is_sent_before_the_next_is_opened(machine, pager, clock):
    machine.report(DISK)
    machine.run(2)
    pager.fault = lambda event: "down" if event.step is IncidentStep.RESOLVE else None
    machine.report(resolved(DISK, clock()))
    machine.run(10)
    machine.report(replace(DISK, at=clock()))
    machine.run(60)
    assert pager.sent() == [("open", "disk")]

    pager.fault = lambda _event: None
    machine.run(90)

    assert pager.sent() == [("open", "disk"), ("resolve", "disk"), ("open", "disk")]


def test_an_incident_that_always_fails_does_not_keep_others_from_being_sent(machine, pager, clock):
    pager.fault = lambda event: "no response" if event.key == "poison" else None
    machine.report(alert("poison"), *(alert(f"kind{number}", at=clock()) for number in range(20)))
    machine.run(60)

    assert {each.key for each in pager.arrived} == {f"kind{number}" for number in range(20)}


def test_a_crash_in_a_call_makes_the_next_attempt_a_possible_duplicate(machine, pager):
    faults = iter(["killed after"])
    pager.fault = lambda _event: next(faults, None)
    machine.report(alert())
    machine.run(60)

    assert [each.is_possible_duplicate for each in pager.of("shop", IncidentStep.OPEN)] == [False, True]
    assert "Possible duplicate" in pager.arrived[1].message.plain


def test_an_incident_that_may_have_been_opened_is_resolved_when_it_ends(machine, pager, clock):
    pager.fault = lambda _event: "lost response"
    machine.report(DISK)
    machine.run(0.5)
    machine.report(resolved(DISK, clock()))
    pager.fault = lambda event: "down" if event.step is IncidentStep.OPEN else None
    machine.run(120)

    assert pager.sent() == [("open", "disk"), ("resolve", "disk")]
    assert not pager.open


def test_one_resolve_that_fails_after_a_doubtful_open_is_not_forgotten(machine, pager, clock):
    faults = iter(["lost response", "down", "killed before", "down"])
    pager.fault = lambda _event: next(faults, None)
    machine.report(DISK)
    machine.run(0.5)
    machine.report(resolved(DISK, clock()))
    machine.run(300)

    assert pager.sent() == [("open", "disk"), ("resolve", "disk")]


def test_what_a_full_disk_does_not_take_is_written_before_anything_else_is_sent(machine, pager, monkeypatch, clock):
    dispatcher = machine.dispatchers["pagerduty"]
    repository = dispatcher._deliveries
    accepted, is_full = repository.accepted, [True]

    def write(*given):
        if is_full[0]:
            raise OSError(28, "No space left on device")
        accepted(*given)

    monkeypatch.setattr(repository, "accepted", write)
    machine.report(alert(), alert("other"))
    with pytest.raises(OSError, match="No space"):
        machine.run(2)
    with pytest.raises(OSError, match="No space"):
        machine.run(2)
    assert len(pager.arrived) == 1

    is_full[0] = False
    machine.run(5)

    assert pager.sent() == [("open", "shop"), ("open", "other")]
    assert not any(each.is_possible_duplicate for each in pager.arrived)


def test_a_rate_limited_channel_is_left_alone_for_as_long_as_it_asks(machine, pager, clock):
    faults = iter(["429"])
    pager.fault = lambda _event: next(faults, None)
    machine.report(alert())
    machine.run(7)
    assert (pager.refused, pager.arrived) == (1, [])

    machine.run(2)

    assert pager.sent() == [("open", "shop")]


def test_a_channel_with_a_revoked_key_is_disabled_and_tried_again_after_some_minutes(machine, pager, clock):
    pager.fault = lambda _event: "revoked"
    machine.report(alert())
    machine.run(200)
    (state,) = machine.queries.channels()
    assert (pager.refused, state.condition(clock())) == (1, "disabled")
    assert "refuses the key" in state.disabled_reason

    pager.fault = lambda _event: None
    machine.run(120)

    assert pager.sent() == [("open", "shop")]
    assert [each.condition(clock()) for each in machine.queries.channels()] == ["ok"]


def test_an_incident_that_the_channel_rejects_is_not_tried_again_and_others_are_sent(machine, pager, clock):
    pager.fault = lambda event: "rejected" if event.key == "odd" else None
    machine.report(alert("odd"), alert("fine", at=clock()))
    machine.run(600, pace=2)

    assert (pager.refused, pager.sent()) == (1, [("open", "fine")])
    assert [each.condition(clock()) for each in machine.queries.channels()] == ["ok"]


def test_a_channel_that_rejects_everything_is_disabled_and_keeps_what_waits(machine, pager, clock):
    pager.fault = lambda _event: "rejected"
    machine.report(*(alert(f"kind{number}") for number in range(10)))
    machine.run(100)
    assert pager.refused == 3

    pager.fault = lambda _event: None
    machine.run(400)

    assert len(pager.arrived) == 8


def test_a_bug_of_a_channel_is_a_failure_with_a_pause(machine, pager):
    pager.fault = lambda _event: "bug"
    machine.report(alert())
    machine.run(60)

    assert 1 < pager.refused < 12


def test_a_rejected_update_is_left_out_and_the_end_is_sent(machine, pager, clock):
    pager.fault = lambda event: "rejected" if event.step is IncidentStep.UPDATE else None
    machine.report(DISK)
    machine.run(2)
    machine.report(replace(DISK, at=clock()))
    machine.run(100)
    machine.report(resolved(DISK, clock()))
    machine.run(10)

    assert (pager.refused, pager.sent()) == (1, [("open", "disk"), ("resolve", "disk")])


def test_a_channel_that_knows_no_steps_but_the_first_is_sent_that_alone(make_incident_machine, clock):
    pager = Pager(steps=frozenset({IncidentStep.OPEN}))
    machine = make_incident_machine(Target(pager))
    for _ in range(2):
        machine.report(replace(DISK, at=clock()))
        machine.run(100)
        acknowledge(machine.outbox, 1, "anna", clock())
        machine.report(resolved(DISK, clock()))
        machine.run(100)

    assert pager.sent() == [("open", "disk"), ("open", "disk")]


def test_of_two_processes_one_sends_until_its_lease_ends(machine, pager, clock):
    machine.report(alert())
    first = machine.dispatchers["pagerduty"]
    second = machine.dispatcher(machine.targets[0], "another")
    for _ in range(10):
        first.step()
        second.step()
        clock.forward(0.5)
    assert pager.sent() == [("open", "shop")]

    clock.forward(40)
    machine.report(alert("next", at=clock()))
    for _ in range(5):
        second.step()
        clock.forward(2)

    assert pager.sent() == [("open", "shop"), ("open", "next")]


def test_a_process_that_ends_leaves_its_channels_to_others_at_once(machine, pager, clock):
    machine.run(1)
    machine.dispatchers["pagerduty"].release()
    machine.report(alert(at=clock()))
    second = machine.dispatcher(machine.targets[0], "another")
    for _ in range(3):
        second.step()

    assert pager.sent() == [("open", "shop")]


def test_a_forked_child_neither_sends_by_its_parents_lease_nor_releases_it(machine, pager, clock):
    machine.run(1)
    dispatcher = machine.dispatchers["pagerduty"]
    dispatcher.restart_in_child()
    machine.report(alert(at=clock()))

    dispatcher.step()
    dispatcher.release()

    assert pager.arrived == []
    assert machine.outbox_leases() == ["process-1"]


def test_an_unchanged_outbox_is_not_read_again(machine, clock):
    machine.run(5)
    machine.dispatchers["pagerduty"].step()
    before = machine.outbox.version()
    with machine.outbox.read() as connection:
        statements = []
        connection.set_trace_callback(statements.append)
    for _ in range(20):
        machine.dispatchers["pagerduty"].step()

    assert machine.outbox.version() == before
    assert not [each for each in statements if "SELECT" in each]
