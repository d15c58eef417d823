"""The two threads of alerts: what is counted is saved while a message is on its way."""

import threading

from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.dispatch.worker import DispatchWorker
from telemetry.alerts.intake.deduplicator import Deduplicator
from tests.support.processes import eventually
from tests.unit.telemetry.alerts.conftest import alert


class HangingDispatcher:
    """A channel that does not answer."""

    def __init__(self):
        self.asked, self.answer = threading.Event(), threading.Event()

    def step(self):
        self.asked.set()
        self.answer.wait(60)
        return 0.0

    def release(self):
        pass


def test_repeats_are_on_the_disk_while_a_message_hangs(machine):
    deduplicator, dispatcher = Deduplicator(machine.incidents), HangingDispatcher()
    worker = DispatchWorker(deduplicator, dispatcher, FallbackNotifier([], machine.clock), lambda: 0)
    worker.start()
    assert dispatcher.asked.wait(60)

    for _ in range(5):
        deduplicator.report(alert())
    try:
        eventually(lambda: [each.incident.count for each in machine.queries.page(machine.clock())] == [5])
    finally:
        dispatcher.answer.set()
        worker.shutdown(1.0)
