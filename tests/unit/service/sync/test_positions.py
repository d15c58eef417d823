from datetime import timedelta

import pytest
from sqlalchemy.exc import NoResultFound

from service.database.tables import SyncPositionRow
from service.sync.positions import SyncPositions
from telemetry.database import transaction
from tests.support.fakes import MINUTE, NOON, on_sqlite, rows_of

LATER = NOON + 60 * MINUTE
MUCH_LATER = NOON + timedelta(days=1)
NAME = "wb.orders"


@pytest.fixture
def positions(engine):
    """Each call in a transaction of its own, as a reading makes them."""

    class Each:
        def __getattr__(self, name):
            def call(*args):
                with transaction(engine) as session:
                    return getattr(SyncPositions(session), name)(*args)

            return call

    return Each()


def timestamps(engine):
    return [(row.began_at, row.finished_at, row.updated_at) for row in rows_of(engine, SyncPositionRow)]


def test_the_first_reading_begins_at_the_beginning(engine, positions):
    assert positions.start(NAME, NOON) == ({}, NOON)
    assert timestamps(engine) == [(NOON, None, NOON)]


def test_a_reading_that_was_cut_off_goes_on_where_it_was_and_is_the_same_one(engine, positions):
    positions.start(NAME, NOON)
    positions.advance(NAME, {"page": 2, "since": "2025-10-02T12:00:00"}, LATER)

    assert positions.start(NAME, MUCH_LATER) == ({"page": 2, "since": "2025-10-02T12:00:00"}, NOON)
    assert timestamps(engine) == [(NOON, None, LATER)]


@on_sqlite
def test_one_that_was_cut_off_before_its_first_page_is_the_same_one_too(positions):
    positions.start(NAME, NOON)

    assert positions.start(NAME, LATER) == ({}, NOON)


def test_behind_a_finished_reading_another_begins_where_it_ended(engine, positions):
    positions.start(NAME, NOON)
    positions.advance(NAME, {"page": 2}, NOON)
    positions.finish(NAME, LATER)
    finished = timestamps(engine)

    assert positions.start(NAME, MUCH_LATER) == ({"page": 2}, MUCH_LATER)
    assert finished == [(NOON, LATER, LATER)]
    assert timestamps(engine) == [(MUCH_LATER, None, MUCH_LATER)]


@on_sqlite
def test_a_position_takes_the_place_of_the_one_before(positions):
    positions.start(NAME, NOON)
    positions.advance(NAME, {"page": 1, "last_id": "a"}, NOON)
    positions.advance(NAME, {"page": 2}, NOON)
    held, _ = positions.start(NAME, NOON)

    positions.advance(NAME, {}, NOON)

    assert held == {"page": 2}
    assert positions.start(NAME, NOON) == ({}, NOON)


@on_sqlite
def test_a_move_that_is_rolled_back_has_not_been_made(engine, positions):
    positions.start(NAME, NOON)

    with transaction(engine) as session:
        SyncPositions(session).advance(NAME, {"page": 1}, LATER)
        session.get_transaction().rollback()

    assert positions.start(NAME, LATER) == ({}, NOON)


@on_sqlite
def test_each_source_has_a_position_of_its_own(positions):
    for name, page in [(NAME, 1), ("wb.reviews", 2)]:
        positions.start(name, NOON)
        positions.advance(name, {"page": page}, NOON)
    positions.finish("wb.reviews", NOON)

    assert positions.start(NAME, LATER) == ({"page": 1}, NOON)
    assert positions.start("wb.reviews", LATER) == ({"page": 2}, LATER)


@on_sqlite
def test_what_was_never_begun_cannot_be_moved(positions):
    with pytest.raises(NoResultFound):
        positions.advance(NAME, {"page": 1}, NOON)
