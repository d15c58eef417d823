import logging

import pytest
from sqlalchemy.exc import OperationalError

from service.database.tables import OrderRow
from service.integrations.http.errors import Forbidden, RateLimited, Unreachable
from service.orders.sync import OrderSync
from service.shutdown import ShutdownRequested
from telemetry.jobs.outcome import error_message
from tests.support.fakes import (
    MINUTE,
    NOON,
    FakeSource,
    TickingClock,
    an_order,
    invalid_row,
    on_sqlite,
    rows_of,
)

PAUSED = RateLimited("ozon", NOON + 60 * MINUTE)


@pytest.fixture
def run(engine):
    """A sync of Ozon's orders; `told` has the recorded counts."""

    def run(*sources, progress=None):
        record = lambda *about: run.told.append(about)  # noqa: E731  # one line of what a test looks at
        return OrderSync("ozon", sources, engine, record, TickingClock()).run({} if progress is None else progress)

    run.told = []
    return run


def counted(**numbers):
    return {"pages": 1, "new": 0, "changed": 0, "unchanged": 0, "invalid": 0, "odd": 0} | numbers


def ids(engine):
    return [row.external_id for row in rows_of(engine, OrderRow)]


def test_every_source_is_read_and_added_up(engine, run):
    done = run(
        FakeSource([[an_order(1), an_order(2)]], "ozon.fbs"), FakeSource([[an_order(3), invalid_row(4)]], "ozon.fbo")
    )

    assert done == counted(pages=2, new=3, invalid=1)
    assert ids(engine) == ["order-1", "order-2", "order-3"]
    assert run.told == [("new", 2), ("new", 1), ("invalid", 1)]


@on_sqlite
def test_each_source_is_read_on_from_where_it_was_left(run):
    one, other = FakeSource([[an_order(1)]], "ozon.fbs"), FakeSource([[an_order(2)], [an_order(3)]], "ozon.fbo")
    run(one, other)

    one.pages_of.append([an_order(1, status="cancelled", as_of=NOON + MINUTE)])
    done = run(one, other)

    assert done == counted(changed=1)
    assert (one.positions, other.positions) == ([{}, {"page": 1}], [{}, {"page": 2}])


@on_sqlite
def test_a_pause_is_no_error_says_until_when_and_concerns_its_source_only(engine, run, caplog):
    with caplog.at_level(logging.WARNING):
        done = run(FakeSource([[an_order(1)], PAUSED], "ozon.fbs"), FakeSource([[an_order(2)]], "ozon.fbo"))

    [warning] = caplog.records
    assert done == counted(pages=2, new=2, paused_until="2025-10-02T13:00:00+00:00")
    assert (warning.levelname, warning.component) == ("WARNING", "ozon")
    assert ids(engine) == ["order-1", "order-2"]


@on_sqlite
def test_of_several_pauses_the_latest_is_told_once(run, caplog):
    later = RateLimited("ozon", NOON + 90 * MINUTE)
    with caplog.at_level(logging.WARNING):
        done = run(*(FakeSource([error], f"ozon.{number}") for number, error in enumerate((PAUSED, later, PAUSED))))

    assert done["paused_until"] == later.until.isoformat()
    assert [record.getMessage() for record in caplog.records] == [str(later)]


@on_sqlite
def test_a_source_that_fails_does_not_keep_the_next_from_being_read_and_is_named(engine, run):
    progress, refused = {"source": "Ozon"}, Forbidden("The key lacks a role.")

    with pytest.raises(Forbidden) as raised:
        run(
            FakeSource([[an_order(1)], refused], "ozon.fbs"),
            FakeSource([[an_order(2)]], "ozon.fbo"),
            progress=progress,
        )

    assert raised.value is refused
    assert str(refused) == "ozon.fbs: The key lacks a role."
    failed = {"ozon.fbs": "The key lacks a role."}
    assert progress == {"source": "Ozon", "failed": failed} | counted(pages=2, new=2)
    assert ids(engine) == ["order-1", "order-2"]


@on_sqlite
def test_a_bug_in_the_reading_of_a_source_is_its_failure_too(engine, run):
    progress, bug = {}, KeyError("since")

    with pytest.raises(KeyError) as raised:
        run(FakeSource([bug], "ozon.fbs"), FakeSource([[an_order(2)]], "ozon.fbo"), progress=progress)

    assert raised.value.__notes__ == ["while ozon.fbs was read"]
    assert progress["failed"] == {"ozon.fbs": "KeyError: 'since'"}
    assert ids(engine) == ["order-2"]


@on_sqlite
def test_several_failures_and_a_pause_are_all_told(run):
    progress, refused, silent = {}, Forbidden("no"), Unreachable("silence", may_have_applied=True)

    with pytest.raises(ExceptionGroup) as raised:
        run(FakeSource([refused], "a"), FakeSource([PAUSED], "b"), FakeSource([silent], "c"), progress=progress)

    assert raised.value.exceptions == (refused, silent)
    assert error_message(raised.value) == "Forbidden: a: no; Unreachable: c: silence"
    assert progress["failed"] == {"a": "no", "c": "silence"}
    assert progress["paused_until"] == PAUSED.until.isoformat()


@on_sqlite
def test_a_database_that_fails_ends_the_sync_at_once(run):
    next_source = FakeSource([[an_order(2)]], "ozon.fbo")

    with pytest.raises(OperationalError):
        run(FakeSource([OperationalError("INSERT", {}, Exception("gone"))], "ozon.fbs"), next_source)

    assert next_source.positions == []


@on_sqlite
def test_a_shutdown_ends_the_sync_at_once(run):
    class Stopped(FakeSource):
        def pages(self, position):
            raise ShutdownRequested

    next_source = FakeSource([[an_order(2)]], "ozon.fbo")

    with pytest.raises(ShutdownRequested):
        run(Stopped([], "ozon.fbs"), next_source)

    assert next_source.positions == []
