"""Leases of processes that die, hang, or were started by an earlier version."""

from dataclasses import replace

import pytest

from telemetry.alerts.outbox.leases import LeaseClaim, OutboxLeases
from telemetry.processes.registry import ProcessRegistry
from tests.support.forking import in_child
from tests.support.registry_processes import other_processes

NOW = 1_800_000_000.0


@pytest.fixture
def registry(tmp_path):
    registry = ProcessRegistry(tmp_path)
    registry.register()
    yield registry
    registry.release()


@pytest.fixture
def leases(machine, registry):
    return OutboxLeases(machine.outbox, registry.is_dead)


def test_the_lease_of_a_killed_process_is_free_at_once(leases, registry, tmp_path):
    with other_processes(tmp_path) as [other]:
        assert leases.acquire("sender", other.entry["id"], NOW, 30.0)
        assert not leases.acquire("sender", registry.lease_holder(), NOW, 30.0)

        other.kill()

        assert leases.acquire("sender", registry.lease_holder(), NOW, 30.0)


@pytest.mark.parametrize("holder", ["host:7:ab12cd34", "host:7:ab12cd34ef:8"])
def test_a_lease_of_a_process_that_is_not_in_the_registry_expires(leases, registry, holder):
    assert leases.acquire("sender", holder, NOW, 30.0)

    assert not leases.acquire("sender", registry.lease_holder(), NOW + 29, 30.0)
    assert leases.acquire("sender", registry.lease_holder(), NOW + 31, 30.0)


def test_a_dead_process_that_comes_back_takes_no_lease_that_another_has_taken(machine, leases, registry, tmp_path):
    """Such as one whose entry was removed while it lived."""
    lost = LeaseClaim("sender", "ab12", 30.0)
    with machine.outbox.transaction() as connection:
        assert lost.acquire(connection, NOW)
    assert leases.acquire("sender", registry.lease_holder(), NOW, 30.0)

    with machine.outbox.transaction() as connection:
        assert not lost.renew(connection, NOW)
        assert not lost.acquire(connection, NOW)


def test_alerts_of_a_killed_process_are_sent_by_another_before_the_lease_expires(machine, telegram, clock, registry):
    machine.dispatcher._claim = replace(machine.dispatcher._claim, holder="ab12")
    machine.run(1)
    machine.start()
    machine.dispatcher._claim = replace(
        machine.dispatcher._claim, holder=registry.lease_holder(), is_dead=registry.is_dead
    )

    machine.run(13)

    with machine.outbox.read() as connection:
        assert machine.dispatcher._claim.has_left(machine.dispatcher._claim.read(connection), 0.0, clock())


def test_a_child_neither_sends_by_the_lease_of_its_parent_nor_releases_it(machine, clock):
    machine.run(1)

    def child():
        machine.dispatcher.step()
        machine.dispatcher.release()
        return machine.dispatcher._claim.holder

    assert in_child(child) != machine.dispatcher._claim.holder
    with machine.outbox.read() as connection:
        assert machine.dispatcher._claim.has_left(machine.dispatcher._claim.read(connection), 0.0, clock())


def test_of_two_processes_one_locks_the_directory_and_a_child_has_no_part_in_it(machine):
    machine.run(1)
    one, other = OutboxLeases(machine.outbox), OutboxLeases(machine.outbox)

    assert (one.lock(), one.lock(), other.lock()) == (True, True, False)
    assert in_child(other.lock) is False
    one.unlock()
    assert other.lock()
    other.unlock()
