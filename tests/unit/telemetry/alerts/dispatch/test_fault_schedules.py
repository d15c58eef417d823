import pytest

from tests.support.fault_schedules import LoggedSchedule, Schedule, check, check_logged

SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.e2e) for seed in range(6, 20))]


@pytest.mark.parametrize("seed", SEEDS)
def test_through_any_faults_every_alert_arrives_and_a_repeat_says_so(make_machine, clock, seed):
    schedule = Schedule(seed, make_machine, clock)

    schedule.play()

    check(schedule)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_fails_and_however_it_is_logged_it_is_told_once_as_what_it_is(make_machine, clock, seed):
    schedule = LoggedSchedule(seed, make_machine, clock)

    schedule.play()

    check_logged(schedule)
