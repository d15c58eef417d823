import pytest

from tests.support.fault_schedules import Schedule, check


@pytest.mark.parametrize("seed", range(40))
def test_through_any_faults_every_alert_arrives_and_a_repeat_says_so(make_machine, clock, seed):
    schedule = Schedule(seed, make_machine, clock)

    schedule.play()

    check(schedule)
