import logging

import pytest

from service.database.tables import OrderRow
from service.integrations.http.errors import RateLimited, Unreachable
from service.orders.sync import OrderSync
from tests.support.fakes import (
    MINUTE,
    NOON,
    UNREACHABLE,
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
    return {"pages": 1, "new": 0, "changed": 0, "unchanged": 0, "invalid": 0} | numbers


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
def test_a_pause_ends_the_sync_without_an_error_and_says_until_when(engine, run, caplog):
    with caplog.at_level(logging.WARNING):
        done = run(FakeSource([[an_order(1)], PAUSED], "ozon.fbs"), FakeSource([[an_order(2)]], "ozon.fbo"))

    [warning] = caplog.records
    assert done == counted(new=1, paused_until="2025-10-02T13:00:00+00:00")
    assert (warning.levelname, warning.component) == ("WARNING", "ozon")
    assert ids(engine) == ["order-1"]


@on_sqlite
def test_an_error_goes_to_the_caller_who_knows_what_was_done(engine, run):
    progress = {"source": "Ozon"}

    with pytest.raises(Unreachable) as raised:
        run(
            FakeSource([[an_order(1)], UNREACHABLE], "ozon.fbs"),
            FakeSource([[an_order(2)]], "ozon.fbo"),
            progress=progress,
        )

    assert raised.value is UNREACHABLE
    assert progress == {"source": "Ozon"} | counted(new=1)
    assert ids(engine) == ["order-1"]
