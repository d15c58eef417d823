import pytest

from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.unit.telemetry.alerts.conftest import alert


@pytest.fixture
def outboxes(tmp_path):
    """The same file, opened by two processes."""
    made = [Outbox(tmp_path / "outbox.db") for _ in range(2)]
    yield made
    for each in made:
        each.close()


def test_the_version_changes_with_a_write_of_this_process_and_of_another_one(outboxes):
    ours, theirs = outboxes
    first = ours.version()
    assert ours.version() == first

    IncidentRepository(theirs).add(alert())
    second = ours.version()
    IncidentRepository(ours).add(alert())
    third = ours.version()

    assert len({first, second, third}) == 3
    assert ours.version() == third


def test_the_version_of_a_new_connection_is_another_one(outboxes):
    outbox = outboxes[0]
    first = outbox.version()

    outbox.close()

    assert outbox.version() != first


def test_reads_do_not_wait_for_a_writer_and_see_what_was_there_before(outboxes):
    ours, theirs = outboxes
    IncidentRepository(ours).add(alert(state="disk:var"))

    with theirs.transaction() as connection:
        connection.execute("DELETE FROM incidents")
        found = IncidentRepository(ours).open_conditions()

    assert list(found) == ["disk:var"]
    assert IncidentRepository(ours).open_conditions() == {}
