import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from service.names import OZON, WB
from service.settings import Settings
from service.sync.freshness.alerts import FreshnessAlerts
from service.sync.freshness.snapshot import DraftingState, LastRun, SourceReading, read_snapshot
from service.sync.freshness.streams import STREAMS, MonitoredSource
from telemetry import semconv
from telemetry.database import transaction
from tests.support.fakes import MINUTE, NOON, on_sqlite

DAY = timedelta(days=1)
CADENCE = 15 * MINUTE
SOURCE = MonitoredSource("wb.orders", STREAMS[1], CADENCE)
STALE, INVALID, DRAFTING = "freshness:stale:wb.orders", "freshness:invalid:wb.orders", "freshness:drafting"


class Machine:
    """One process on a machine of its own: it has the alerts that it has sent."""

    def __init__(self, engine, caplog, drafting=5 * MINUTE):
        self.engine, self._caplog, self.seconds, self.open = engine, caplog, 0.0, {}
        self._alerts = FreshnessAlerts(engine, [SOURCE], drafting, lambda _prefix: self.open, lambda: self.seconds)

    def sees(self, passed=timedelta(0), **figures):
        """What it sends when it sees these figures, some time after it saw others."""
        self.seconds += passed.total_seconds()
        with transaction(self.engine) as session:
            snapshot = replace(read_snapshot(session, Settings(), NOON), **{"readings": fresh()} | figures)
        self._caplog.clear()
        self._alerts.evaluate(snapshot)
        found = [(vars(record)[semconv.ALERT_CONDITION], record) for record in self._caplog.records]
        fired = {key for key, record in found if not getattr(record, semconv.ALERT_RESOLVED, False)}
        over = {key for key, _ in found} - fired
        began = NOON.timestamp() - 600
        self.open = dict.fromkeys((self.open.keys() | fired) - over, began)
        return sorted(fired), sorted(over)


@pytest.fixture
def machine_of(engine, caplog):
    caplog.set_level(logging.INFO, "telemetry.alerts.rules.condition")
    return lambda **how: Machine(engine, caplog, **how)


@pytest.fixture
def machine(machine_of):
    return machine_of()


def fresh():
    return {"wb.orders": SourceReading({}, NOON, NOON)}


def stale(age=4 * CADENCE):
    return {"wb.orders": SourceReading({}, NOON - age, NOON - age)}


def test_a_stale_source_is_told_once_whoever_notices_it_also_after_a_restart_and_so_is_its_end(machine_of):
    one, other = machine_of(), machine_of()

    assert one.sees(readings=stale()) == ([], [])  # the service has just begun
    assert one.sees(5 * MINUTE, readings=stale()) == ([STALE], [])
    assert one.sees(DAY, readings=stale()) == ([], [])
    other.sees(readings=stale())
    assert other.sees(DAY, readings=stale()) == ([], [])
    restarted = machine_of()
    restarted.open = one.open
    restarted.sees(readings=stale())
    assert restarted.sees(DAY, readings=stale()) == ([], [])

    assert other.sees() == ([], [])
    assert restarted.sees() == ([], [STALE])
    assert restarted.sees() == ([], [])

    restarted.sees(readings=stale())
    assert restarted.sees(DAY, readings=stale()) == ([STALE], [])


@on_sqlite
def test_an_end_says_what_works_again_and_how_long_it_did_not(machine, caplog):
    def said():
        return sorted(
            record.getMessage() for record in caplog.records if getattr(record, semconv.ALERT_RESOLVED, False)
        )

    machine.sees(readings=stale(), last_runs={"wb.orders": LastRun(100, 10)})
    machine.sees(
        DAY,
        readings=stale(),
        drafting=DraftingState(due=3, failing=3),
        expiries={WB: NOON - DAY, OZON: NOON + 2 * DAY},
    )
    machine.sees(
        last_runs={"wb.orders": LastRun(120, 1)},
        drafting=DraftingState(newest_draft=NOON),
        expiries={WB: NOON + 180 * DAY, OZON: NOON + 180 * DAY},
    )

    assert said() == [
        "Drafts are made again since 12:00 UTC. Drafting was stuck for 10 min.",
        "OZON_API_KEY no longer expires soon (until 2026-03-31) since 12:00 UTC. The old one was about to expire for 10 min.",
        "Rows of wb.orders can be read again (1 of 120 are invalid) since 12:00 UTC. Many were invalid for 10 min.",
        "WB_API_TOKEN is valid again (until 2026-03-31) since 12:00 UTC. The old one had been expired for 10 min.",
        "wb.orders is up to date again since 12:00 UTC. It was stale for 10 min.",
    ]


@on_sqlite
@pytest.mark.parametrize(
    ("readings", "after", "fired"),
    [
        (stale(3 * CADENCE), DAY, []),
        (stale(3 * CADENCE + MINUTE), 5 * MINUTE, [STALE]),
        ({"wb.orders": SourceReading({}, NOON - DAY, None, "wb refuses.")}, 5 * MINUTE, [STALE]),
        ({}, 5 * MINUTE, []),
        ({}, 3 * CADENCE, [STALE]),
        ({"another": SourceReading({}, NOON, NOON)}, 3 * CADENCE, [STALE]),
        ({"wb.orders": SourceReading({}, NOON, NOON + 365 * DAY)}, DAY, []),
    ],
    ids=["in time", "late", "never completed", "not begun", "never begun", "another one", "clock set back"],
)
def test_a_source_is_stale_after_three_cadences(machine, readings, after, fired):
    machine.sees(readings=readings)

    assert machine.sees(after, readings=readings)[0] == fired


@on_sqlite
def test_a_source_that_is_read_meanwhile_was_not_stale(machine):
    machine.sees(readings=stale())
    machine.sees(4 * MINUTE)
    machine.sees(readings=stale())

    assert machine.sees(4 * MINUTE, readings=stale()) == ([], [])


def test_an_expiry_is_told_at_each_threshold_once_also_after_a_restart(machine_of):
    def at(machine, **left):
        return machine.sees(expiries={service: NOON + time for service, time in left.items()})

    machine, told = machine_of(), "freshness:expiry:{}:{}".format

    assert at(machine, wb=15 * DAY, ozon=15 * DAY) == ([], [])
    assert at(machine, wb=14 * DAY, ozon=15 * DAY) == ([told(WB, 14)], [])
    assert at(machine, wb=5 * DAY, ozon=14 * DAY) == ([told(OZON, 14)], [])
    again = machine_of()
    again.open = machine.open
    assert at(again, wb=4 * DAY, ozon=13 * DAY) == ([], [])
    assert at(again, wb=3 * DAY, ozon=13 * DAY) == ([told(WB, 3)], [])
    assert at(again, wb=MINUTE, ozon=13 * DAY) == ([], [])
    assert at(again, wb=-MINUTE, ozon=13 * DAY) == ([told(WB, 0)], [])
    assert at(again) == ([], [])  # not known at the moment
    assert at(again, wb=180 * DAY, ozon=12 * DAY) == ([], [told(WB, 0), told(WB, 14), told(WB, 3)])
    assert at(again, wb=14 * DAY, ozon=12 * DAY) == ([told(WB, 14)], [])


@on_sqlite
@pytest.mark.parametrize(("left", "days"), [(13 * DAY, 14), (DAY, 3), (timedelta(0), 0), (-1000 * DAY, 0)])
def test_of_a_credential_that_is_seen_late_the_most_urgent_alert_alone_is_sent(machine, left, days):
    assert machine.sees(expiries={WB: NOON + left}) == ([f"freshness:expiry:wb:{days}"], [])


@on_sqlite
@pytest.mark.parametrize(
    ("run", "fired"),
    [
        (LastRun(50, 50), [INVALID]),
        (LastRun(99, 5), [INVALID]),
        (LastRun(100, 5), []),
        (LastRun(4, 4), []),
        (LastRun(0, 0), []),
    ],
)
def test_a_share_of_invalid_rows_over_five_percent_and_five_rows_is_told(machine, run, fired):
    assert machine.sees(last_runs={"wb.orders": run}) == (fired, [])


@on_sqlite
def test_a_run_without_rows_ends_no_alert_and_one_with_good_rows_does(machine):
    machine.sees(last_runs={"wb.orders": LastRun(9, 9)})

    assert machine.sees(last_runs={"wb.orders": LastRun(0, 0)}) == ([], [])
    assert machine.sees(last_runs={"wb.orders": LastRun(9, 0)}) == ([], [INVALID])


@on_sqlite
@pytest.mark.parametrize(
    ("state", "fired"),
    [
        (DraftingState(due=1), [DRAFTING]),
        (DraftingState(due=1, newest_draft=NOON - 16 * MINUTE), [DRAFTING]),
        (DraftingState(due=100, newest_draft=NOON - 14 * MINUTE), []),
        (DraftingState(due=0, newest_draft=NOON - DAY), []),
        (DraftingState(due=0, failing=2), []),
        (DraftingState(due=0, failing=20), [DRAFTING]),
        (DraftingState(due=0, newest_draft=NOON - MINUTE, failing=20), []),
    ],
)
def test_drafting_is_stuck_when_nothing_comes_of_it(machine, state, fired):
    machine.sees(drafting=state)

    assert machine.sees(15 * MINUTE, drafting=state)[0] == ([] if state.failing == 20 and fired else fired)
    assert machine.open.keys() == set(fired)


@on_sqlite
def test_one_review_that_fails_again_and_again_is_not_stuck(machine):
    for _ in range(10):
        assert machine.sees(5 * MINUTE, drafting=DraftingState(due=1, failing=1)) == ([], [])
        assert machine.sees(MINUTE, drafting=DraftingState(due=0, failing=1)) == ([], [])


@on_sqlite
def test_a_short_cadence_leaves_a_draft_a_quarter_of_an_hour(machine_of):
    machine, waiting = machine_of(drafting=timedelta(seconds=15)), DraftingState(due=1)
    machine.sees(drafting=waiting)

    assert machine.sees(14 * MINUTE, drafting=waiting) == ([], [])
    assert machine.sees(MINUTE, drafting=waiting) == ([DRAFTING], [])


@on_sqlite
def test_a_draft_ends_it(machine):
    machine.sees(drafting=DraftingState(failing=3))

    assert machine.sees(drafting=DraftingState(due=9, failing=2)) == ([], [])
    assert machine.sees(drafting=DraftingState(due=9, newest_draft=NOON)) == ([], [DRAFTING])


@on_sqlite
def test_where_drafting_is_not_scheduled_it_is_not_stuck(machine_of):
    machine = machine_of(drafting=None)

    assert machine.sees(drafting=DraftingState(due=9, failing=9)) == ([], [])
    assert machine.sees(DAY, drafting=DraftingState(due=9, failing=9)) == ([], [])


@on_sqlite
def test_the_message_says_what_keeps_the_source_from_being_read(machine, caplog):
    reading = {"wb.orders": SourceReading({}, NOON, NOON - DAY, "wb may be called again at noon.")}
    machine.sees(readings=reading)
    machine.sees(DAY, readings=reading)

    [record] = caplog.records
    assert "2025-10-01 12:00:00 UTC" in record.getMessage()
    assert record.getMessage().endswith("Last error: wb may be called again at noon.")
