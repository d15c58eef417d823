"""A person acknowledges an incident: the first one wins, and a second time changes nothing."""

import threading

import pytest

from telemetry.alerts.incident_delivery.acknowledgements import AcknowledgementResult, acknowledge
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert


@pytest.fixture
def outbox(tmp_path):
    outbox = Outbox(tmp_path / OUTBOX_FILE)
    yield outbox
    outbox.close()


@pytest.fixture
def incidents(outbox):
    return IncidentRepository(outbox)


def test_an_open_incident_is_acknowledged_by_whom_and_when(outbox, incidents):
    incidents.add(alert())

    done = acknowledge(outbox, 1, "anna", NOON + 60)

    assert done.result is AcknowledgementResult.DONE
    assert (done.by, done.incident.acknowledged_at) == ("anna", NOON + 60)


def test_a_second_acknowledgement_changes_nothing_and_names_the_first(outbox, incidents):
    incidents.add(alert())
    acknowledge(outbox, 1, "anna", NOON + 60)

    second = acknowledge(outbox, 1, "boris", NOON + 90)

    assert second.result is AcknowledgementResult.ALREADY_ACKNOWLEDGED
    assert (second.by, second.incident.acknowledged_at) == ("anna", NOON + 60)


def test_an_incident_that_has_ended_is_not_acknowledged(outbox, incidents):
    incidents.add(alert(state="disk"))
    incidents.add(alert(state="disk", is_resolved=True, at=NOON + 10))

    late = acknowledge(outbox, 1, "anna", NOON + 60)

    assert late.result is AcknowledgementResult.ALREADY_ENDED
    assert (late.by, late.incident.acknowledged_at) == ("", None)


@pytest.mark.parametrize("unknown", [2, 0, -1, 2**63, 10**30])
def test_an_unknown_incident_is_reported_as_that(outbox, incidents, unknown):
    incidents.add(alert())

    assert acknowledge(outbox, unknown, "anna", NOON).result is AcknowledgementResult.UNKNOWN


def test_of_many_at_once_one_wins(tmp_path, incidents):
    incidents.add(alert())
    found = []

    def press(name):
        own = Outbox(tmp_path / OUTBOX_FILE)
        found.append(acknowledge(own, 1, name, NOON + 1))
        own.close()

    threads = [threading.Thread(target=press, args=(f"person {number}",)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert sorted(each.result for each in found) == ["already acknowledged"] * 7 + ["done"]
    assert len({each.by for each in found}) == 1


@pytest.mark.parametrize(("given", "kept"), [("", "unknown"), (" anna\n b ", "anna b"), ("a" * 5000, None)])
def test_a_name_is_one_short_line(outbox, incidents, given, kept):
    incidents.add(alert())

    by = acknowledge(outbox, 1, given, NOON + 1).by

    assert "\n" not in by
    assert by == kept or (kept is None and len(by) < 200)
