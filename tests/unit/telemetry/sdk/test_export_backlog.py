"""What an OTLP endpoint did not accept is kept, and sent again."""

import os
import threading
from collections import Counter

import pytest

from telemetry.sdk import export_backlog
from telemetry.sdk.export_backlog import FULL, MAX_BYTES, MAX_ITEMS, REJECTED, SHUTDOWN, BacklogKind, ExportBacklog

DELIVERED, FAILED = "delivered", "failed"


class Endpoint:
    """An exporter.

    Attributes:
        is_away: nothing is accepted.
        rejects: no batch with one of these is accepted.
        raises: `export` raises instead.
    """

    def __init__(self):
        self.is_away, self.raises, self.rejects = False, False, set()
        self.accepted, self.calls, self.is_shut_down = [], 0, False
        self.began, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    def export(self, batch):
        self.calls += 1
        self.began.set()
        assert self.may_end.wait(30)
        if self.raises:
            raise ValueError("cannot be encoded")
        if self.is_away or self.rejects & {*batch}:
            return FAILED
        self.accepted.extend(batch)
        return DELIVERED

    def shutdown(self):
        self.is_shut_down = True
        self.may_end.set()


@pytest.fixture
def endpoint():
    return Endpoint()


@pytest.fixture
def dropped():
    return Counter()


@pytest.fixture
def backlog(endpoint, dropped, monkeypatch):
    monkeypatch.setattr(export_backlog, "RETRY_SECONDS", 3600.0)  # the tests call `retry`
    made = ExportBacklog(endpoint, BacklogKind("spans", DELIVERED, lambda _item: 1, _count(dropped)))
    yield made
    made.shutdown()


def _count(dropped):
    return lambda number, reason: dropped.update({reason: number})


def test_what_is_accepted_does_not_wait(backlog, endpoint):
    assert backlog.export([1, 2]) == DELIVERED

    assert endpoint.accepted == [1, 2]
    assert backlog.size == 0
    assert "unsent-spans" not in {thread.name for thread in threading.enumerate()}


def test_what_is_not_accepted_is_sent_again_in_its_order_and_nothing_twice(backlog, endpoint, dropped):
    endpoint.is_away = True
    for i in range(5):
        backlog.export([i, i + 100])
    backlog.retry()
    assert (backlog.size, endpoint.accepted) == (10, [])

    endpoint.is_away = False
    backlog.export([5])
    backlog.retry()

    assert sorted(endpoint.accepted) == [0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104]
    assert (backlog.size, dropped) == (0, {})


def test_while_others_wait_a_batch_is_not_tried_by_the_thread_that_brings_it(backlog, endpoint):
    endpoint.is_away = True
    backlog.export([1])
    calls = endpoint.calls

    backlog.export([2])

    assert endpoint.calls == calls


def test_an_outage_however_long_rejects_nothing(backlog, endpoint, dropped):
    endpoint.is_away = True
    backlog.export([1])
    backlog.export([2])
    for _ in range(50):
        backlog.retry()

    endpoint.is_away = False
    backlog.retry()

    assert (sorted(endpoint.accepted), dropped) == ([1, 2], {})


def test_an_item_that_is_never_accepted_costs_itself_alone(backlog, endpoint, dropped):
    endpoint.rejects = {13}
    backlog.export([*range(20)])
    for i in range(100, 130):
        backlog.export([i])
        backlog.retry()

    assert sorted(endpoint.accepted) == [*range(13), *range(14, 20), *range(100, 130)]
    assert (backlog.size, dropped) == (0, {REJECTED: 1})


def test_a_batch_that_cannot_be_encoded_waits_like_one_that_is_not_accepted(backlog, endpoint, dropped):
    endpoint.raises = True
    assert backlog.export([1]) == DELIVERED
    backlog.retry()
    assert backlog.size == 1

    endpoint.raises = False
    backlog.retry()

    assert (endpoint.accepted, backlog.size, dropped) == ([1], 0, {})


def test_a_full_backlog_drops_the_oldest_and_counts_them(backlog, endpoint, dropped):
    endpoint.is_away = True
    for i in range(0, 3 * MAX_ITEMS, 512):
        backlog.export([*range(i, i + 512)])
    assert backlog.size == MAX_ITEMS == backlog.capacity

    endpoint.is_away = False
    backlog.retry()

    assert sorted(endpoint.accepted) == [*range(2 * MAX_ITEMS, 3 * MAX_ITEMS)]
    assert dropped == {FULL: 2 * MAX_ITEMS}


def test_bytes_are_bounded_too(endpoint, dropped):
    endpoint.is_away = True
    kind = BacklogKind("spans", DELIVERED, lambda _item: MAX_BYTES // 4, _count(dropped))
    backlog = ExportBacklog(endpoint, kind)

    for i in range(6):
        backlog.export([i])

    assert (backlog.size, dropped) == (4, {FULL: 2})
    backlog.shutdown()


def test_a_thread_sends_what_waits_and_ends_when_nothing_does(endpoint, dropped, monkeypatch):
    monkeypatch.setattr(export_backlog, "RETRY_SECONDS", 0.01)
    backlog = ExportBacklog(endpoint, BacklogKind("spans", DELIVERED, len, _count(dropped)))
    for batch in (["a"], ["b"]):  # the second one needs a new thread
        endpoint.is_away = True
        backlog.export(batch)
        [thread] = [each for each in threading.enumerate() if each.name == "unsent-spans"]

        endpoint.is_away = False
        thread.join(30)

        assert not thread.is_alive()
    assert (endpoint.accepted, backlog.size) == (["a", "b"], 0)
    backlog.shutdown()


def test_the_end_tries_once_more(backlog, endpoint, dropped):
    endpoint.is_away = True
    backlog.export([1])
    endpoint.is_away = False

    backlog.shutdown()

    assert (endpoint.accepted, endpoint.is_shut_down, dropped) == ([1], True, {})


def test_what_waits_at_the_end_is_counted_and_said(backlog, endpoint, dropped, caplog):
    endpoint.is_away = True
    backlog.export([1, 2])

    backlog.shutdown()

    assert dropped == {SHUTDOWN: 2}
    assert "2 spans were not sent: their OTLP endpoint is unavailable." in caplog.messages


def test_an_endpoint_that_hangs_does_not_hold_the_end(backlog, endpoint, dropped, monkeypatch):
    monkeypatch.setattr(export_backlog, "_LAST_TRY_SECONDS", 0.05)
    endpoint.is_away = True
    backlog.export([1])
    endpoint.began.clear()
    endpoint.may_end.clear()

    backlog.shutdown()

    assert endpoint.began.is_set()
    assert endpoint.is_shut_down
    assert dropped == {SHUTDOWN: 1}


def test_an_exporter_is_never_called_by_two_threads_at_once(backlog, endpoint):
    endpoint.is_away = True
    backlog.export([1])
    endpoint.is_away = False
    endpoint.began.clear()
    endpoint.may_end.clear()
    retrying = threading.Thread(target=backlog.retry)
    retrying.start()
    assert endpoint.began.wait(30)
    calls = endpoint.calls

    backlog.export([2])

    assert endpoint.calls == calls
    endpoint.may_end.set()
    retrying.join(30)
    backlog.retry()
    assert endpoint.accepted == [1, 2]


def test_flushing_sends_what_waits(backlog, endpoint):
    endpoint.is_away = True
    backlog.export([1])
    assert not backlog.force_flush()

    endpoint.is_away = False

    assert backlog.force_flush()
    assert endpoint.accepted == [1]


def test_its_queue_can_be_measured_until_its_end(backlog, endpoint):
    endpoint.is_away = True
    backlog.export([1, 2, 3])

    assert export_backlog.queues()["unsent_spans"].size == 3

    backlog.shutdown()
    assert "unsent_spans" not in export_backlog.queues()


def test_a_forked_child_leaves_what_waits_to_its_parent(backlog, endpoint):
    endpoint.is_away = True
    backlog.export([1])

    pid = os.fork()
    if pid == 0:
        os._exit(backlog.size)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert backlog.size == 1
