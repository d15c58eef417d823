"""Each channel has a thread of its own: one that hangs delays neither the others nor the end of the process for long."""

import threading
import time

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.dispatch.dispatcher import Sender
from telemetry.alerts.incident_delivery.incident_routing import IncidentRouting, incident_worker
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox, OutboxBusy
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.unit.telemetry.alerts.conftest import Measured, alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

HANG = 30.0


class HangingPager(Pager):
    def __init__(self, name):
        super().__init__(name)
        self.released = threading.Event()

    def deliver(self, event):
        self.released.wait(HANG)
        return super().deliver(event)


@pytest.fixture
def outbox(tmp_path, measured):
    """Closed when no thread of the worker is left: a thread that was given up would open it again."""
    before = set(threading.enumerate())
    outbox = Outbox(tmp_path / OUTBOX_FILE)
    yield outbox
    for thread in set(threading.enumerate()) - before:
        if thread.name != "metrics-callback":
            thread.join(HANG)
            assert not thread.is_alive()
    outbox.close()


@pytest.fixture
def measured():
    measured = Measured()
    yield measured
    measured.meters.shutdown()
    measured.tracers.shutdown()


def make_worker(outbox, measured, *pagers, **routing):
    targets = [Target(each) for each in pagers]
    return incident_worker(
        outbox, IncidentRouting(targets, has_chain=True, **routing), measured.delivery(), Sender("one"), measured.meter
    )


def report(outbox, *names):
    for name in names:
        wait_until(lambda name=name: is_added(outbox, name))


def is_added(outbox, name):
    try:
        IncidentRepository(outbox).add(alert(name, at=time.time()))
    except OutboxBusy:
        return False
    return True


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_channel_that_hangs_does_not_delay_the_others(outbox, measured):
    hanging, healthy = HangingPager("slack"), Pager("pagerduty")
    worker = make_worker(outbox, measured, hanging, healthy)
    worker.start()
    report(outbox, "first", "second")

    wait_until(lambda: len(healthy.arrived) == 2)
    began = time.monotonic()
    worker.shutdown(1.0)

    assert time.monotonic() - began < HANG / 2
    assert hanging.arrived == []
    hanging.released.set()


def test_what_was_reported_last_is_sent_before_the_process_ends(outbox, measured):
    pagers = [Pager("slack"), Pager("pagerduty")]
    worker = make_worker(outbox, measured, *pagers)
    worker.start()
    wait_until(outbox.path.exists)
    report(outbox, "last")

    worker.shutdown(10.0)

    assert [each.sent() for each in pagers] == [[("open", "last")]] * 2


def test_a_process_that_ends_holds_no_lease(outbox, measured):
    worker = make_worker(outbox, measured, Pager())
    worker.start()
    report(outbox, "first")
    worker.shutdown(10.0)

    with outbox.read() as connection:
        assert connection.execute("SELECT count(*) FROM leases").fetchone()[0] == 0


def test_a_process_that_was_not_started_sends_nothing_at_its_end(outbox, measured):
    pager = Pager()
    worker = make_worker(outbox, measured, pager)
    report(outbox, "first")

    worker.shutdown(10.0)

    assert pager.arrived == []


def test_the_escalation_follows_the_order_of_its_list_and_names_only_channels_of_incidents():
    targets = [Target(Pager("slack")), Target(Pager("jsm"), AlertLevel.ERROR, escalation_only=True)]
    routing = IncidentRouting(targets, has_chain=True, escalation=("jsm", "slack", "telegram"), escalate_after=60.0)

    assert [each.name for each in routing.policy().targets] == ["jsm", "slack"]
    assert IncidentRouting(targets, has_chain=True).policy() is None
