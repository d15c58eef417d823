import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from service.integrations.http.client import MAX_FAILURES
from service.integrations.http.errors import EndlessPages, Unreachable, Unreadable
from service.integrations.marketplace import START, InvalidPayload, Order
from service.integrations.wildberries.moscow_time import MOSCOW
from tests.support.loopback import CUT, response
from tests.support.wildberries_payloads import order
from tests.support.wildberries_stub import (
    Statistics,
    id_set,
    ids,
    order_at,
    parse_timestamp,
    read,
    requested_dates,
    srids_of,
)


def test_a_service_that_does_not_look_at_the_date_is_not_read_for_ever(server, orders):
    rows = [order_at(minutes) for minutes in range(5)]
    server.script = lambda _asked: response(rows)

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert position["since"] == "2026-11-21T09:04:00"
    assert len(server.requests) == 2


def test_a_service_that_does_not_look_at_the_date_and_may_have_cut_its_page_is_told(server, orders, small_pages):
    server.script = lambda _asked: response([order_at(minutes) for minutes in range(5)])

    with pytest.raises(EndlessPages, match="whatever date it is asked for"):
        read(orders, {"since": "2026-11-21T09:04:00", "boundary": []})

    assert len(server.requests) == 3


@pytest.mark.parametrize("seconds", [1, 3600])
def test_rows_from_before_the_date_are_read_and_move_nothing(server, orders, seconds):
    class Lenient(Statistics):
        def __call__(self, request):
            earlier = parse_timestamp(request.query["dateFrom"]) - timedelta(seconds=seconds)
            return super().__call__(replace(request, query={"dateFrom": earlier.isoformat()}))

    rows = [order(number, f"2026-11-21T09:00:{number:02}") for number in range(12)]
    server.script = Lenient(*rows)

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert position == {"since": "2026-11-21T09:00:11", "boundary": [rows[-1]["srid"]]}
    assert id_set(read(orders, position)[0]) == srids_of(rows[-2:] if seconds == 1 else rows)


def test_a_reading_ends_at_what_was_there_when_it_began(server, orders, clock):
    """Each page has a new order: they come faster than pages may be asked for."""

    def busy(request):
        assert len(server.requests) < 9, "the reading does not end"
        clock.moment += timedelta(minutes=1)
        made = [clock.moment - timedelta(seconds=age) for age in range(5 + 60 * len(server.requests), 0, -60)]
        rows = [order(f"{at:%H%M%S}", f"{at.astimezone(MOSCOW):%Y-%m-%dT%H:%M:%S}") for at in made]
        return Statistics(*rows)(request)

    server.script = busy

    _, position = read(orders)
    asked = len(server.requests)
    read(orders, position)

    assert asked <= 2
    assert requested_dates(server)[asked] == position["since"]


@pytest.mark.parametrize("late", [1, 7])
def test_orders_that_come_while_many_of_one_moment_are_read_do_not_make_it_a_cut_one(
    server, orders, small_pages, late, clock
):
    clock.moment -= timedelta(days=2)
    rows = [order_at(0, each) for each in range(8)]
    coming = [order_at(1, 100 + each) for each in range(late)]

    def coming_late(request):
        if request.query["dateFrom"] == "2026-11-21T09:00:01" and coming[0] not in rows:
            rows.extend(coming)
        return Statistics(*rows)(request)

    server.script = coming_late

    found, position = read(orders, {"since": "2026-11-21T09:00:00", "boundary": []})

    assert id_set(found) == srids_of(rows)
    assert position == {"since": "2026-11-21T09:01:00", "boundary": sorted(srids_of(coming))}


def test_a_moment_that_has_other_orders_each_time_is_not_read_for_ever(server, orders):
    numbers = count(1)

    def restless(_request):
        assert len(server.requests) < 9, "the reading does not end"
        return response([order_at(0, next(numbers)) for _ in range(3)])

    server.script = restless

    assert len(read(orders, {"since": "2026-11-21T09:00:00", "boundary": []})[0]) == 6


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.orders._MIN_ROWS_OF_CUT_PAGE", 5)


def test_a_moment_with_more_orders_than_a_page_is_said_and_what_follows_is_read(server, orders, small_pages):
    rows = [order_at(0, number) for number in range(8)] + [order_at(1, 8), order_at(2, 9)]
    server.script = Statistics(*rows, cut=5)
    found, saved = [], []

    def all_that_come():
        for page in orders.pages(START):
            found.extend(page.rows)
            saved.append(page.position)

    with pytest.raises(EndlessPages, match="more orders with one timestamp"):
        all_that_come()

    assert id_set(found) == srids_of(rows[:5] + rows[8:])
    assert read(orders, saved[-1])[1]["boundary"] == [rows[-1]["srid"]]


@pytest.mark.parametrize("number", [5, 8])
def test_a_moment_with_many_orders_that_are_all_there_is_no_error(server, orders, small_pages, number):
    rows = [order_at(0, each) for each in range(number)]
    server.script = Statistics(*rows)

    found, position = read(orders, {"since": "2026-11-21T09:00:00", "boundary": []})

    assert id_set(found) == srids_of(rows)
    assert position == {"since": "2026-11-21T09:00:00", "boundary": sorted(srids_of(rows))}
    assert requested_dates(server) == ["2026-11-21T09:00:00"] * 2 + ["2026-11-21T09:00:01"]


@pytest.mark.parametrize("last", [[], [order(1, srid=None)]])
def test_a_last_page_without_an_order_does_not_lead_back(server, orders, last):
    server.enqueue(response([order_at(0), order_at(1)]), response(last))

    assert read(orders)[1] == {"since": "2026-11-21T09:01:00", "boundary": [order_at(1)["srid"]]}


def test_a_boundary_with_too_many_orders_is_read_again_rather_than_saved(server, orders, monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.orders._MAX_BOUNDARY_IDS", 3)
    server.script = Statistics(*(order_at(0, number) for number in range(4)))

    rows, position = read(orders)

    assert position == {"since": "2026-11-21T09:00:00", "boundary": []}
    assert id_set(read(orders, position)[0]) == id_set(rows)


def test_a_page_of_rows_that_cannot_be_read_is_the_end_and_moves_nothing(server, orders):
    server.script = lambda _asked: response([order(1, srid=None), order(2, lastChangeDate=None), "no order"])
    position = {"since": "2026-11-21T09:00:00", "boundary": []}

    rows, following = read(orders, position)

    assert [type(row) for row in rows] == [InvalidPayload] * 3
    assert following == position


def test_a_row_that_cannot_be_read_does_not_hide_the_others(server, orders):
    server.script = Statistics(order_at(0), order_at(1, isCancel=None), order_at(2))

    rows, position = read(orders)

    assert [type(row) for row in rows][:3] == [Order, InvalidPayload, Order]
    assert position["since"] == "2026-11-21T09:02:00"


def test_an_order_from_the_far_future_is_given_and_not_gone_on_from(server, orders):
    rows = [order_at(0), order(7, "2099-01-01T00:00:00"), order(8, "9999-12-31T23:59:59Z")]
    server.script = Statistics(*rows)

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert position["since"] == "2026-11-21T09:00:00"


@pytest.mark.parametrize("ahead", [timedelta(seconds=1), timedelta(hours=3), timedelta(days=1), timedelta(days=2)])
def test_an_order_that_is_dated_ahead_hides_none_that_comes_before_its_date(server, orders, clock, ahead):
    now = clock.now()
    dated_ahead = order(7, f"{(now + ahead).astimezone(MOSCOW):%Y-%m-%dT%H:%M:%S}")
    server.script = Statistics(order_at(0), dated_ahead)
    first, position = read(orders)

    clock.moment += ahead / 2
    later = order(8, f"{(now + ahead / 4).astimezone(MOSCOW):%Y-%m-%dT%H:%M:%S.%f}")
    cancelled = order(7, f"{(now + ahead / 3).astimezone(MOSCOW):%Y-%m-%dT%H:%M:%S.%f}", isCancel=True)
    server.script = Statistics(order_at(0), later, cancelled)
    second, _ = read(orders, position)

    assert position["since"] == "2026-11-21T09:00:00"
    assert id_set(second) >= {later["srid"], dated_ahead["srid"]}
    before = [row.as_of for row in first if row.external_id == dated_ahead["srid"]]
    after = [row.as_of for row in second if row.external_id == dated_ahead["srid"]]
    assert max(before) < min(after)  # so that the newer state takes the place of the older one


def test_an_array_that_was_cut_gives_the_rows_before_the_cut(server, orders):
    whole = json.dumps([order_at(0), order_at(1), order_at(2)])
    server.script = lambda _asked: response(whole[:-200])
    found, page = [], next(orders.pages(START))

    with pytest.raises(Unreadable):
        found.extend(page.rows)

    assert ids(found) == [order_at(0)["srid"], order_at(1)["srid"]]
    assert page.position == START


@pytest.mark.parametrize("body", ["<html>", "", "null", {}, {"errors": "no"}])
def test_what_is_no_array_is_not_the_end_but_an_error(server, orders, body):
    server.script = lambda _asked: response(body)

    with pytest.raises(Unreadable):
        read(orders)


def test_a_page_that_fails_leaves_the_position_of_the_one_before(server, orders):
    statistics = Statistics(*(order_at(minutes) for minutes in range(15)), cut=10)
    server.script = lambda request: statistics(request) if len(server.requests) == 1 else CUT
    pages = orders.pages(START)
    page = next(pages)
    first = list(page.rows)

    with pytest.raises(Unreachable):
        next(pages)
    server.script = statistics

    assert len(server.requests) == 1 + MAX_FAILURES
    assert len(id_set(first) | id_set(read(orders, page.position)[0])) == 15


def test_the_rows_of_a_page_are_not_all_in_memory(server, orders):
    rows = [order_at(0, number, sticker="x" * 5000) for number in range(2000)]
    size = len(json.dumps(rows))
    server.enqueue(response(rows))
    del rows
    page = next(orders.pages(START))

    tracemalloc.start()
    read_rows = sum(1 for _ in page.rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (read_rows, size > 10_000_000) == (2000, True)
    assert peak < size / 4
