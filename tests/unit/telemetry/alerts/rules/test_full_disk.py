"""A disk that is full: the outbox on it takes nothing, and the alert about it is sent once, as is its end."""

import logging
import sqlite3
from contextlib import contextmanager, suppress

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.dispatch.worker import DispatchWorker
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.rules import condition, resource_usage
from telemetry.alerts.rules.condition import ConditionTracker
from telemetry.alerts.rules.evaluator import RuleEvaluator, Rules
from telemetry.alerts.rules.resource_usage import Thresholds
from telemetry.health.filesystem import Filesystem
from telemetry.health.system_resources import SystemResources
from telemetry.health.usage import Usage
from tests.unit.telemetry.alerts.conftest import alert


class FillingOutbox(Outbox):
    """An outbox on a disk that can be full, or that cannot be read either."""

    fault: str = ""

    @contextmanager
    def transaction(self):
        if self.fault:
            raise sqlite3.OperationalError("database or disk is full")
        with super().transaction() as connection:
            yield connection

    @contextmanager
    def read(self):
        if self.fault == "unreadable":
            raise sqlite3.OperationalError("unable to open database file")
        with super().read() as connection:
            yield connection


class Idle:
    """A rule that finds the database well, and no failing jobs."""

    def evaluate(self):
        return True


class Process:
    """One process of a machine: rules, intake and dispatch of its own, with the disk's usage in percent."""

    def __init__(self, machine, name):
        clock = machine.clock
        self.clock, self.outbox, self.percent = clock, FillingOutbox(machine.path), 50
        self.deduplicator = Deduplicator(IncidentRepository(self.outbox))
        sender = Sender(name, clock)
        dispatcher = Dispatcher(self.outbox, machine.channels, machine.measured.delivery(), sender)
        self.worker = DispatchWorker(
            self.deduplicator, dispatcher, FallbackNotifier(machine.channels, clock), lambda: 0
        )
        resources = SystemResources(
            ["var"], measure=self._disk, read_memory=lambda: Usage(50, 100), deadline=30, clock=clock
        )
        conditions = ConditionTracker(self.outbox, clock)
        rules = Rules(Idle(), Idle(), lambda: resource_usage.evaluate(resources, Thresholds(90, 90), conditions))
        self.evaluator = RuleEvaluator(rules, OutboxLeases(self.outbox), name, clock)

    def _disk(self, _path):
        return Filesystem(device=1, space=Usage(self.percent, 100), inodes=None)

    def report(self, record):
        key, is_end = vars(record)["alert.state"], vars(record).get("alert.ended", False)
        self.deduplicator.report(
            alert(
                f"state {key}",
                state=key,
                level=AlertLevel.WARNING,
                is_resolved=is_end,
                summary=record.getMessage(),
                at=self.clock(),
            )
        )


class Running:
    """Processes whose rounds are run in turn; each logs into its own pipeline."""

    def __init__(self, processes, clock):
        self.processes, self.clock, self.current = processes, clock, processes[0]

    def set(self, fault, percent):
        for each in self.processes:
            each.outbox.fault, each.percent = fault, percent

    def run(self, seconds):
        for _ in range(seconds):
            for process in self.processes:
                self.current = process
                if not int(self.clock()) % 5:
                    self.current.evaluator.evaluate()
                self.current.worker._next_step = 0.0
                with suppress(sqlite3.Error):
                    self.current.worker.save()
                with suppress(sqlite3.Error):
                    self.current.worker.send()
            self.clock.forward(1)


@pytest.fixture
def running(machine, clock):
    made = Running([Process(machine, name) for name in ("first", "second")], clock)

    class Pipeline(logging.Handler):
        def emit(self, record):
            made.current.report(record)

    handler = Pipeline()
    condition.log.addHandler(handler)
    made.run(60)
    yield made
    condition.log.removeHandler(handler)
    for process in made.processes:
        process.outbox.close()


@pytest.mark.parametrize("fault", ["full", "unreadable"])
def test_a_full_disk_is_told_once_without_it_and_its_end_once(running, telegram, fault):
    running.set(fault, 100)
    running.run(900)
    assert ["Disk space of var: 100% used" in text for text in telegram.texts] == [True]

    running.set("", 50)
    running.run(900)

    assert len(telegram.texts) == 2
    assert telegram.texts[1].startswith("✅")


def test_an_outbox_that_takes_alerts_again_while_the_disk_is_still_full_enough_tells_nothing_twice(running, telegram):
    running.set("full", 100)
    running.run(300)
    running.set("", 95)
    running.run(900)
    assert len(telegram.texts) == 1

    running.set("", 50)
    running.run(400)

    assert len(telegram.texts) == 2


def test_the_end_is_told_without_the_disk_when_the_outbox_stays_unusable(running, telegram):
    running.set("full", 100)
    running.run(300)
    running.set("full", 50)
    running.run(600)
    assert len(telegram.texts) == 2

    running.set("", 50)
    running.run(600)

    assert len(telegram.texts) == 2


def test_what_was_told_before_the_disk_took_nothing_more_is_not_told_again(running, telegram):
    running.set("", 95)
    running.run(200)
    assert len(telegram.texts) == 1

    for fault in ("full", "unreadable", "full"):
        running.set(fault, 100)
        running.run(300)
    running.set("", 50)
    running.run(600)

    assert len(telegram.texts) == 2


def test_a_short_refusal_of_the_disk_tells_nothing(running, telegram):
    for fault in ("full", "", "unreadable", ""):
        running.set(fault, 100 if fault else 50)
        running.run(60)

    assert telegram.texts == []
