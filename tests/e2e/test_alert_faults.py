"""A thousand schedules of faults: Telegram refuses, fails, is late or cut off, and senders are killed between sending and noting."""

from collections import Counter

import pytest

from tests.support.fault_schedules import Schedule, check
from tests.support.telegram_server import HandClock
from tests.unit.telemetry.alerts.conftest import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
SCHEDULES = 1_000


def test_through_a_thousand_schedules_of_faults_no_alert_is_lost_and_each_repeat_says_so(tmp_path):
    faults: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        clock, home = HandClock(), tmp_path / str(seed)
        schedule = Schedule(seed, lambda transport: Machine(home, clock, transport), clock)  # noqa: B023  # used at once

        schedule.play()

        check(schedule)
        faults += schedule.faults
        schedule.machine.close()
    assert min(faults.values()) > 100  # none of the kinds was left out
