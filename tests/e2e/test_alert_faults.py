"""Random schedules of faults: Telegram refuses, fails, is late or cut off, and senders are killed between sending and noting.

There are ALERT_SCHEDULES of each kind, which is 120; 500 are a full proof.
"""

import os
from collections import Counter

import pytest

from tests.support.fault_schedules import LoggedSchedule, Schedule, check, check_logged
from tests.support.telegram_server import HandClock
from tests.unit.telemetry.alerts.conftest import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
SCHEDULES = int(os.environ.get("ALERT_SCHEDULES", "120"))


@pytest.mark.parametrize(("kind", "holds"), [(Schedule, check), (LoggedSchedule, check_logged)])
def test_through_many_schedules_of_faults_no_alert_is_lost_or_merged_and_each_repeat_says_so(tmp_path, kind, holds):
    faults: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        clock, home = HandClock(), tmp_path / str(seed)
        schedule = kind(seed, lambda transport: Machine(home, clock, transport), clock)  # noqa: B023  # used at once

        schedule.play()

        holds(schedule)
        faults += schedule.faults
        schedule.machine.close()
    assert min(faults.values()) > SCHEDULES / 10  # none of the kinds was left out
