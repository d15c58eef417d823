import logging
import sqlite3
from dataclasses import replace

import pytest

from telemetry.alerts.alert import AlertKey, AlertLevel
from telemetry.alerts.intake.deduplicator import MAX_UNSAVED_CHARACTERS, Deduplicator
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import EXPIRE_AFTER, MAX_PENDING, IncidentRepository
from telemetry.alerts.outbox.queries import AlertQueries
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert


@pytest.fixture
def outbox(tmp_path):
    made = Outbox(tmp_path / "alerts" / "outbox.db")
    yield made
    made.close()


def key(at):
    return AlertKey("shop", AlertLevel.ERROR, "", at)


def counts(outbox):
    return {each.incident.fingerprint: each.incident.count for each in AlertQueries(outbox).page(NOON, limit=2000)}


class RefusingRepository(IncidentRepository):
    """A disk that cannot be written for a while."""

    refuses = True

    def add(self, alert, count=1):
        if self.refuses:
            raise sqlite3.OperationalError("disk I/O error")
        super().add(alert, count)


def test_the_first_is_on_the_disk_when_the_report_returns_and_repeats_are_at_the_next_flush(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))

    deduplicator.report(alert())
    first = counts(outbox)
    for _ in range(5):
        deduplicator.report(alert())
    before = counts(outbox)
    deduplicator.flush()

    assert (first, before, counts(outbox)) == ({"shop": 1}, {"shop": 1}, {"shop": 6})


def test_several_processes_fold_into_one(tmp_path):
    outboxes = [Outbox(tmp_path / "outbox.db") for _ in range(4)]

    for outbox in outboxes:
        Deduplicator(IncidentRepository(outbox)).report(alert())

    assert counts(outboxes[0]) == {"shop": 4}
    for outbox in outboxes:
        outbox.close()


def test_what_the_disk_does_not_take_waits_in_memory_and_is_written_later(outbox):
    incidents = RefusingRepository(outbox)
    deduplicator = Deduplicator(incidents)

    deduplicator.report(alert())
    unsaved = deduplicator.unsaved
    with pytest.raises(sqlite3.OperationalError):
        deduplicator.flush()
    incidents.refuses = False
    deduplicator.flush()

    assert (unsaved, deduplicator.unsaved, counts(outbox)) == (1, 0, {"shop": 1})


def test_what_is_too_much_for_memory_is_counted_as_dropped(outbox):
    dropped = []
    deduplicator = Deduplicator(RefusingRepository(outbox), lambda number, reason: dropped.append((number, reason)))

    for number in range(1003):
        deduplicator.report(alert(f"kind{number}"))

    assert deduplicator.unsaved >= 1000
    assert dropped == [(1, "full")] * (1003 - 1000)


def test_repeats_of_what_is_over_meanwhile_begin_it_anew(outbox):
    deduplicator, incidents = Deduplicator(IncidentRepository(outbox)), IncidentRepository(outbox)
    deduplicator.report(alert())
    with outbox.transaction() as connection:
        connection.execute("UPDATE incidents SET ended_at = last_at, ended = 'quiet'")

    deduplicator.report(alert(at=NOON + 60))
    deduplicator.flush()

    assert [each.incident.count for each in AlertQueries(outbox).page(NOON)] == [1, 1]
    assert incidents.open_conditions() == {}


def test_after_four_quiet_hours_it_is_a_first_one_again(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))
    deduplicator.report(alert())

    assert not deduplicator.count_if_repeat(key(NOON + EXPIRE_AFTER))
    assert deduplicator.count_if_repeat(key(NOON + EXPIRE_AFTER - 1))


def test_repeats_that_are_not_written_yet_when_it_expires_are_still_counted(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))
    for at in (NOON, NOON, NOON + EXPIRE_AFTER):
        deduplicator.report(alert(at=at))

    deduplicator.flush()

    assert counts(outbox) == {"shop": 3}


class FlushedTwice(IncidentRepository):
    """While repeats are being written, another thread flushes; then the disk refuses them, or not."""

    refuses = False

    def add_repeats(self, repeats):
        if flush := self.__dict__.pop("flush", None):
            flush()
        if self.refuses:
            raise sqlite3.OperationalError("disk I/O error")
        return super().add_repeats(repeats)


@pytest.mark.parametrize("refuses", [False, True])
def test_repeats_that_two_threads_write_at_once_are_counted_once(outbox, refuses):
    incidents = FlushedTwice(outbox)
    deduplicator = Deduplicator(incidents)
    for _ in range(5):
        deduplicator.report(alert())
    incidents.flush, incidents.refuses = deduplicator.flush, refuses

    if refuses:
        with pytest.raises(sqlite3.OperationalError):
            deduplicator.flush()
        incidents.refuses = False
    deduplicator.flush()

    assert counts(outbox) == {"shop": 5}


def test_repeats_that_the_disk_refuses_while_their_alert_is_forgotten_are_counted(outbox):
    incidents = FlushedTwice(outbox)
    deduplicator = Deduplicator(incidents)
    deduplicator.report(alert())
    deduplicator.report(alert())
    incidents.flush = lambda: [deduplicator.report(alert(f"kind{number}")) for number in range(MAX_PENDING)]
    incidents.refuses = True

    with pytest.raises(sqlite3.OperationalError):
        deduplicator.flush()
    incidents.refuses = False
    deduplicator.flush()

    assert counts(outbox)["shop"] == 2


def test_to_ask_whether_an_alert_is_known_counts_nothing(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))
    unknown = deduplicator.is_known("shop", logging.ERROR, NOON)
    deduplicator.report(alert())

    known = [deduplicator.is_known("shop", logging.ERROR, NOON + later) for later in (EXPIRE_AFTER - 1, EXPIRE_AFTER)]
    deduplicator.flush()

    assert (unknown, known, counts(outbox)) == (False, [True, False], {"shop": 1})


def test_of_too_many_different_ones_the_rest_is_only_counted(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))

    for number in range(MAX_PENDING + 5):
        deduplicator.report(alert(f"kind{number}"))
    deduplicator.report(alert(f"kind{MAX_PENDING + 1}"))
    deduplicator.report(alert("kind7"))
    deduplicator.flush()

    found = counts(outbox)
    assert len(found) == MAX_PENDING + 1
    assert found["overflow"] == 6
    assert sum(found.values()) == MAX_PENDING + 7


def test_repeats_of_one_that_is_forgotten_are_still_counted(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))
    deduplicator.report(alert("first"))
    deduplicator.report(alert("first"))
    for number in range(MAX_PENDING):
        deduplicator.report(alert(f"kind{number}"))

    deduplicator.flush()

    assert counts(outbox)["first"] == 2


def test_a_damaged_outbox_is_put_aside_and_a_new_one_begins(outbox, caplog):
    outbox.path.parent.mkdir()
    outbox.path.write_bytes(b"no database at all" * 1000)
    deduplicator = Deduplicator(IncidentRepository(outbox))

    deduplicator.report(alert())
    deduplicator.flush()

    assert counts(outbox) == {"shop": 1}
    assert len(list(outbox.path.parent.glob("*.damaged-*"))) == 1
    assert "damaged" in caplog.text


def test_the_outbox_is_for_nobody_else(outbox):
    Deduplicator(IncidentRepository(outbox)).report(alert())

    assert oct(outbox.path.stat().st_mode)[-3:] == "600"
    assert oct(outbox.path.parent.stat().st_mode)[-3:] == "700"


def test_an_outbox_that_somebody_else_holds_is_not_waited_for(outbox):
    Deduplicator(IncidentRepository(outbox)).report(alert())
    other = sqlite3.connect(outbox.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    deduplicator = Deduplicator(IncidentRepository(outbox))

    deduplicator.report(replace(alert("other"), summary="while it is held"))

    assert deduplicator.unsaved == 1
    other.execute("ROLLBACK")
    other.close()
    deduplicator.flush()
    assert counts(outbox) == {"shop": 1, "other": 1}


def test_halves_of_characters_are_kept_as_question_marks(outbox):
    Deduplicator(IncidentRepository(outbox)).report(alert(summary="\ud83d"))

    assert AlertQueries(outbox).page(NOON)[0].incident.summary == "?"


def test_a_repeat_of_a_higher_level_raises_the_incident_and_is_due_again(outbox):
    deduplicator = Deduplicator(IncidentRepository(outbox))
    deduplicator.report(alert())
    deduplicator.report(alert())
    mark_notified(outbox)

    deduplicator.report(replace(alert(), level=AlertLevel.CRITICAL, summary="now it is negative"))
    deduplicator.report(alert())
    deduplicator.flush()

    [record] = AlertQueries(outbox).page(NOON)
    incident = record.incident
    assert (incident.level, incident.summary, incident.count) == (AlertLevel.CRITICAL, "now it is negative", 4)
    assert incident.notification_id is None


def test_an_incident_that_another_process_has_raised_is_not_lowered(tmp_path):
    outboxes = [Outbox(tmp_path / "outbox.db") for _ in range(2)]
    ours, theirs = [Deduplicator(IncidentRepository(outbox)) for outbox in outboxes]

    ours.report(replace(alert(), level=AlertLevel.CRITICAL))
    theirs.report(alert())
    theirs.report(alert())
    theirs.flush()

    [record] = AlertQueries(outboxes[0]).page(NOON)
    assert (record.incident.level, record.incident.count) == (AlertLevel.CRITICAL, 3)
    for outbox in outboxes:
        outbox.close()


def mark_notified(outbox):
    with outbox.transaction() as connection:
        connection.execute("UPDATE incidents SET told_post = 1, told_at = ?", (NOON,))


LARGE = {"summary": "no " * 300_000, "stack": "at " * 300_000, "facts": {f"fact {n}": "x" * 1000 for n in range(1000)}}


@pytest.mark.parametrize("refuses", [False, True])
def test_alerts_in_memory_are_bounded_in_bytes_and_none_is_dropped(outbox, refuses):
    incidents, dropped = RefusingRepository(outbox), []
    incidents.refuses = refuses
    deduplicator = Deduplicator(incidents, lambda number, _reason: dropped.append(number))

    for number in range(20):
        deduplicator.report(alert(fingerprint=str(number), **LARGE))
    deduplicator.keep_notified([(alert(state=str(n), **LARGE), 1) for n in range(20)], "telegram")

    kept = [each.first for each in deduplicator._known.values()] + [each for each, _ in deduplicator._notified]
    assert sum(each.size for each in kept) < 400_000
    assert sum(each.size for each, _ in deduplicator._unsaved) < MAX_UNSAVED_CHARACTERS + 400_000
    incidents.refuses = False
    deduplicator._notified.clear()
    deduplicator.flush()
    assert counts(outbox) == {str(number): 1 for number in range(20)}
    assert dropped == []


def test_a_short_alert_is_kept_as_it_is_and_of_a_long_one_what_is_shown():
    short, long = alert(facts={"job": "sync"}), alert(**LARGE).shortened()

    assert short.shortened() is short
    assert long.size < 8 * 1024
    assert long.summary.startswith("no no")
    assert long.facts["fact 0"].startswith("x") or "left out" in long.facts["fact 0"]
