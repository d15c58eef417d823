"""The state of an alert, from what the outbox has of it."""

import pytest

from telemetry.alerts.outbox.queries import AlertRecord
from tests.unit.telemetry.alerts.conftest import incident

SENT = {"notification_id": 7}
RESOLVED = {"ended_at": 9.0, "end_reason": "resolved"}
EXPIRED = {"ended_at": 9.0, "end_reason": "expired"}
INHIBITED = {"inhibitor_id": 3}


@pytest.mark.parametrize(
    ("values", "is_silenced", "state", "is_firing"),
    [
        ({}, False, "pending", True),
        (SENT, False, "sent", True),
        ({}, True, "silenced", False),
        (SENT, True, "silenced", False),
        (INHIBITED, False, "inhibited", False),
        (INHIBITED, True, "inhibited", False),
        (RESOLVED, False, "pending", False),  # its message is still to be sent
        (SENT | RESOLVED, False, "ended", False),
        (EXPIRED, False, "ended", False),
        (SENT | EXPIRED, True, "ended", False),
    ],
)
def test_an_alert_has_one_state(values, is_silenced, state, is_firing):
    record = AlertRecord(
        incident(**values), None, None, None, None, None, possible_duplicate=False, is_silenced=is_silenced
    )

    assert (record.state, record.is_firing) == (state, is_firing)
