"""Random faults of three channels at once, with kills between: each incident is opened once and resolved once, and none is lost.

There are INCIDENT_SCHEDULES of them, which is 60; 500 are a full proof. `make test` runs the first 6.
"""

import os
from collections import Counter
from dataclasses import replace
from random import Random
from shutil import rmtree

import pytest

from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from tests.support.telegram_server import HandClock
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import (
    RATE_LIMIT,
    IncidentMachine,
    Pager,
    Target,
)

FAULTS = ("down", "429", "revoked", "no response", "lost response", "killed before", "killed after", "bug")
FIRST = 6
SCHEDULES = int(os.environ.get("INCIDENT_SCHEDULES", "60"))
QUIET = 15
"""Seconds between two looks once there are no more faults: a lease and the wait of a disabled channel are longer."""


class IncidentSchedule:
    """Reports conditions and their ends through faults, and then runs without faults until nothing is due."""

    def __init__(self, seed, home):
        self.random = Random(seed)
        self.clock = HandClock()
        self.faults_left = self.random.randint(0, 30)
        self.share = self.random.choice((0.1, 0.4, 0.8))
        self.pagers = [Pager(name, RATE_LIMIT, fault=self.fault) for name in ("pagerduty", "slack", "ntfy")]
        self.machine = IncidentMachine(home, self.clock, [Target(each) for each in self.pagers])
        self.firing = {}
        self.happened = Counter()

    def fault(self, _event):
        if self.faults_left <= 0 or self.random.random() > self.share:
            return None
        self.faults_left -= 1
        fault = self.random.choice(FAULTS)
        self.happened[fault] += 1
        return fault

    def play(self):
        for _ in range(self.random.randint(2, 8)):
            self.happen()
            self.machine.run(self.random.choice((0.0, 1.0, 5.0, 70.0)), pace=1)
        self.faults_left = 0
        self.machine.run(700, pace=QUIET)  # a disabled channel is tried again after some minutes
        for key in list(self.firing):
            self.end(key)
        self.machine.run(700, pace=QUIET)

    def happen(self):
        for _ in range(self.random.randint(1, 3)):
            key = f"condition{self.random.randint(0, 4)}"
            if key in self.firing and self.random.random() < 0.6:
                self.end(key)
            else:
                self.firing.setdefault(key, alert(key, state=key, at=self.clock()))
                self.machine.report(replace(self.firing[key], at=self.clock()))
            if self.random.random() < 0.2:
                acknowledge(self.machine.outbox, self.random.randint(1, 9), "anna", self.clock())

    def end(self, key):
        self.machine.report(replace(self.firing.pop(key), is_resolved=True, at=self.clock()))

    def incidents(self):
        return [each.incident for each in self.machine.queries.page(self.clock(), limit=1000)]


def check(schedule):
    for pager in schedule.pagers:
        assert not pager.open, pager.open
        for incident in schedule.incidents():
            steps = [each for each in pager.arrived if each.incident.id == incident.id]
            opened = [each for each in steps if each.step is IncidentStep.OPEN]
            resolved = [each for each in steps if each.step is IncidentStep.RESOLVE]
            for sent in (opened, resolved):
                assert all(each.is_possible_duplicate for each in sent[1:]), (pager.name, incident.id)
            assert bool(resolved) or not opened, (pager.name, incident.id)
            assert [each for each in steps if each.step is IncidentStep.RESOLVE] == steps[len(steps) - len(resolved) :]
    lost = [each for each in schedule.incidents() if not _is_known(schedule, each)]
    assert not lost


def _is_known(schedule, incident):
    """It was opened everywhere, or its attempts to be opened ended with it."""
    with schedule.machine.outbox.read() as connection:
        rows = {
            row["channel"]: row
            for row in connection.execute("SELECT * FROM deliveries WHERE incident_id = ?", (incident.id,))
        }
    for pager in schedule.pagers:
        is_opened = any(each.incident.id == incident.id for each in pager.arrived)
        row = rows.get(pager.name)
        if row is not None and row["step"] not in {"", "resolve"}:
            return False
        if not is_opened and incident.is_open:
            return False
    return True


def play_and_check(seed, home):
    schedule = IncidentSchedule(seed, home)
    try:
        schedule.play()

        check(schedule)
    finally:
        schedule.machine.close()
    return schedule.happened


@pytest.mark.parametrize("seed", range(FIRST))
def test_through_any_faults_each_incident_is_opened_once_and_resolved_once_and_a_repeat_says_so(tmp_path, seed):
    play_and_check(seed, tmp_path)


@pytest.mark.e2e
@pytest.mark.timeout(3600)
def test_through_many_schedules_each_incident_is_opened_once_and_resolved_once_and_a_repeat_says_so(
    tmp_path, record_property
):
    happened = Counter()
    for seed in range(FIRST, SCHEDULES):
        home = tmp_path / str(seed)
        home.mkdir()

        happened += play_and_check(seed, home)

        rmtree(home)
    record_property("faults", dict(happened))
    assert min(happened[each] for each in FAULTS) > (SCHEDULES - FIRST) / 10  # none of the kinds was left out


def test_a_dead_channel_delays_the_others_by_nothing(make_incident_machine, clock):
    def arrivals(fault):
        pagers = [Pager("pagerduty"), Pager("slack"), Pager("ntfy")]
        pagers[0].fault = lambda _event: fault
        machine = make_incident_machine(*map(Target, pagers))
        times = {each.name: [] for each in pagers}
        began = clock()
        for number in range(40):
            machine.report(alert(f"kind{number}", at=clock()))
            before = {each.name: len(each.arrived) for each in pagers}
            machine.run(3, pace=0.25)
            for each in pagers:
                times[each.name] += [round(clock() - began, 2)] * (len(each.arrived) - before[each.name])
        return times

    healthy, faulty = arrivals(None), arrivals("no response")

    assert len(healthy["slack"]) == 40
    assert {name: faulty[name] for name in ("slack", "ntfy")} == {name: healthy[name] for name in ("slack", "ntfy")}
    assert faulty["pagerduty"] == []
