from dataclasses import replace

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.outbox.maintenance import INHIBITION_WINDOW, UNSENT_EXPIRY, is_maintenance_due, maintain
from tests.support.telegram_server import NOON
from tests.unit.telemetry.alerts.conftest import alert

HOUR = 3600.0
OUTAGE = alert("outage", state="database")
OUTAGE_END = alert("outage", state="database", is_resolved=True, at=NOON + 120)
DISK = alert("disk", state="disk", component="silenced")
DISK_END = replace(DISK, is_resolved=True, at=NOON + 60)
QUERY = alert("query", inhibited_by="database")


@pytest.mark.parametrize(
    ("reported", "seconds", "ended"),
    [
        ([QUERY], 60, {"query": None}),
        ([OUTAGE, QUERY], 60, {"outage": None, "query": None}),
        ([OUTAGE, QUERY, OUTAGE_END], 121 + 2 * INHIBITION_WINDOW, {"outage": "resolved", "query": "inhibited"}),
        ([alert(component="silenced", at=NOON + 60)], HOUR, {"shop": "silenced"}),
        ([DISK, DISK_END], HOUR, {"disk": "silenced"}),
        ([alert(level=AlertLevel.INFO)], 2 * UNSENT_EXPIRY, {"shop": "expired"}),
    ],
)
def test_what_maintenance_changes_is_due_before_it_and_not_after_it(machine, reported, seconds, ended):
    machine.silences.create("silenced", NOON + HOUR, "stock-taking", NOON)
    for each in reported:
        machine.report(each)
    now = NOON + seconds

    with machine.outbox.transaction() as connection:
        before = connection.total_changes
        is_due = is_maintenance_due(connection, now)
        maintain(connection, now)
        is_changed = connection.total_changes > before
        is_due_afterwards = is_maintenance_due(connection, now)

    found = {each.incident.fingerprint: each.incident.end_reason for each in machine.queries.page(now)}
    assert found == ended
    assert is_due == is_changed
    assert not is_due_afterwards
