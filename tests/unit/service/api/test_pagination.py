from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from fastapi import Response
from pydantic import BaseModel, ValidationError
from sqlalchemy import select
from starlette.requests import Request

from service.api.schemas.filters import PageQuery
from service.api.schemas.pagination import add_next_link
from service.api.schemas.parameters import Rfc3339
from service.database.keyset import UnknownCursor, after_row
from service.database.tables import OrderRow
from service.orders.repository import OrderRepository
from telemetry.database import transaction
from tests.support.fakes import NOON, an_order, on_sqlite

MOSCOW = timezone(timedelta(hours=3))


class Asked(BaseModel):
    since: Rfc3339


class Query(PageQuery):
    rating: int | None = None
    answered: bool | None = None


def link(query, numbers, limit):
    scope = {"type": "http", "method": "GET", "path": "/shelf", "query_string": query.encode(), "headers": []}
    response = Response()
    add_next_link(Request(scope | {"server": ("host", 80)}), response, [SimpleNamespace(id=n) for n in numbers], limit)
    return response.headers.get("link")


def test_a_full_page_links_to_the_one_behind_its_last_row():
    assert link("rating=5", [9, 7], 2) == '</shelf?rating=5&before=7>; rel="next"'


def test_the_next_page_takes_the_place_of_this_one():
    assert link("before=20&limit=2", [9, 7], 2) == '</shelf?limit=2&before=7>; rel="next"'


def test_a_link_keeps_what_had_to_be_escaped():
    assert link("since=2025-10-01T15:00:00%2B03:00", [7], 1) == (
        '</shelf?since=2025-10-01T15%3A00%3A00%2B03%3A00&before=7>; rel="next"'
    )


@pytest.mark.parametrize("numbers", [[], [9]])
def test_a_page_that_is_not_full_is_the_last(numbers):
    assert link("", numbers, 2) is None


def test_a_filter_that_is_there_and_empty_filters_nothing():
    assert Query.model_validate({"rating": "", "before": ""}) == Query()


def test_a_filter_that_says_no_is_not_empty():
    assert Query(answered=False).answered is False


def test_a_limit_that_is_there_and_empty_is_none_at_all():
    with pytest.raises(ValidationError, match="limit"):
        Query.model_validate({"limit": ""})


@pytest.mark.parametrize(
    "written",
    ["2025-10-02T12:00:00Z", "2025-10-02t12:00:00.000z", "2025-10-02T15:00:00+03:00", "2025-10-02T15:00:00 03:00"],
)
def test_a_moment_is_the_same_however_it_is_written(written):
    moment = Asked(since=written).since

    assert (moment, moment.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "1759400000",
        1759400000,
        "2025-10-02",
        "2025-10-02T12:00:00",
        "2025-10-02T12:00:00Z ",
        "٢025-10-02T12:00:00Z",
    ],
)
def test_what_is_no_moment_is_refused_with_an_example(written):
    with pytest.raises(ValidationError, match="as in 2025-10-02T12:00:00Z"):
        Asked(since=written)


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"])
def test_a_moment_that_no_database_has_is_refused(written):
    with pytest.raises(ValidationError, match="out of the calendar"):
        Asked(since=written)


@pytest.fixture
def session(engine):
    same = datetime(2025, 10, 1, 15, tzinfo=MOSCOW)
    orders = [an_order(1, ordered_at=same), an_order(2, ordered_at=same), an_order(3), an_order(4, ordered_at=NOON)]
    with transaction(engine) as session:
        OrderRepository(session).save(orders, NOON)
        yield session


def test_behind_a_row_are_the_older_ones_and_of_the_same_moment_those_with_a_smaller_number(session):
    def rows(before):
        condition = after_row(session, OrderRow.ordered_at, OrderRow.id, before)
        return set(session.scalars(select(OrderRow.external_id).where(condition)))

    assert rows(4) == {"order-1", "order-2", "order-3"}
    assert rows(3) == {"order-1", "order-2"}
    assert rows(2) == {"order-1"}
    assert rows(1) == set()


@on_sqlite
def test_behind_a_row_that_is_not_there_is_an_error(session):
    with pytest.raises(UnknownCursor, match=r"before must be the id of a stored row, .*; got 5"):
        after_row(session, OrderRow.ordered_at, OrderRow.id, 5)
