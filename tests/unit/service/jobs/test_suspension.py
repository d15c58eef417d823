import logging
from datetime import timedelta

import pytest

from service.integrations.http.errors import Forbidden, SubscriptionMissing, Unreachable
from service.jobs.suspension import JobSwitch, suspensions
from service.scheduler.job import Skipped
from tests.support.fakes import NOON, on_sqlite

MISSING = SubscriptionMissing("Buy the subscription.")
ALL_MISSING = ExceptionGroup("several sources", [MISSING, Unreachable("no", may_have_applied=False), MISSING])
NAME = "sync_ozon_reviews"


class World:
    """One job, whose sync raises `error` if there is one, and a clock that tests set."""

    def __init__(self, engine):
        self.engine, self.now, self.error, self.syncs, self.progress = engine, NOON, None, 0, {}

    def run(self, **how):
        """A switch for each run, as after a restart."""
        return JobSwitch(self.engine, NAME, "ozon", lambda: self.now).run(self._sync, self.progress, **how)

    def _sync(self):
        self.syncs += 1
        if self.error:
            raise self.error
        return {"pages": 1}

    @property
    def is_off(self):
        return NAME in suspensions(self.engine)


@pytest.fixture
def world(engine):
    return World(engine)


def errors_of(caplog):
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("error", [MISSING, ALL_MISSING], ids=["one", "group"])
def test_a_missing_subscription_switches_the_job_off_with_one_alert_and_is_tried_daily(world, caplog, error):
    world.error = error

    for hour in range(49):
        world.now = NOON + timedelta(hours=hour)
        done = world.run()
        assert isinstance(done, Skipped)
        assert "Buy the subscription." in done["reason"]

    [alert] = errors_of(caplog)
    assert (alert.levelname, alert.component) == ("ERROR", "ozon")
    assert "sync_ozon_reviews is switched off" in alert.getMessage()
    assert "Buy the subscription." in alert.getMessage()
    assert world.syncs == 3
    assert suspensions(world.engine)[NAME].since == NOON


@on_sqlite
def test_it_is_on_again_by_itself_and_the_next_time_is_told_again(world, caplog):
    world.error = MISSING
    world.run()
    world.error, world.now = None, NOON + timedelta(days=1)

    assert world.run() == {"pages": 1}
    assert not world.is_off
    world.error = MISSING
    world.run()

    assert world.is_off
    assert len(errors_of(caplog)) == 2


@on_sqlite
def test_a_person_tries_at_once(world):
    world.error = MISSING
    world.run()
    world.error = None

    assert isinstance(world.run(), Skipped)
    assert world.run(retry=True) == {"pages": 1}
    assert world.run() == {"pages": 1}


@on_sqlite
def test_a_clock_that_was_set_back_does_not_keep_the_job_off_for_longer_than_a_day(world):
    world.error, world.now = MISSING, NOON + timedelta(days=400)
    world.run()
    world.error, world.now = None, NOON

    assert world.run() == {"pages": 1}


@on_sqlite
@pytest.mark.parametrize(
    ("error", "pages"),
    [(Forbidden("no role"), 0), (ExceptionGroup("two", [Forbidden("no"), ValueError("bug")]), 0), (MISSING, 3)],
    ids=["forbidden", "others", "something-was-read"],
)
def test_any_other_failure_is_one_and_switches_nothing_off(world, error, pages):
    world.error, world.progress = error, {"pages": pages}

    with pytest.raises(type(error)):
        world.run()

    assert not world.is_off


@on_sqlite
def test_a_failed_retry_leaves_the_job_off_and_is_a_failure(world):
    world.error = MISSING
    world.run()
    world.error, world.now = Unreachable("no", may_have_applied=False), NOON + timedelta(days=2)

    with pytest.raises(Unreachable):
        world.run()

    assert world.is_off
    world.error = None
    assert world.run() == {"pages": 1}
    assert not world.is_off
