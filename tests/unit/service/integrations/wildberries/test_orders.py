from datetime import UTC, datetime, timedelta

import pytest

from service.integrations.wildberries.orders import parse_order
from tests.support.wildberries_payloads import order
from tests.support.wildberries_stub import Statistics, id_set, order_at, read, requested_dates, srids_of


def test_the_first_reading_begins_as_far_back_as_orders_are_kept(server, orders):
    server.script = Statistics()

    assert read(orders) == ([], {})

    [asked] = server.requests
    assert asked.path == "/api/v1/supplier/orders"
    assert asked.query == {"dateFrom": "2026-08-26T15:00:00", "flag": "0"}  # 90 days before noon in UTC, in Moscow


def test_pages_are_read_until_there_is_nothing_new(server, orders):
    rows = [order_at(minutes) for minutes in range(25)]
    server.script = Statistics(*rows, cut=10)

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert requested_dates(server)[1:] == ["2026-11-21T09:09:00", "2026-11-21T09:18:00", "2026-11-21T09:24:00"]
    assert position == {"since": "2026-11-21T09:24:00", "boundary": [rows[-1]["srid"]]}


def test_a_page_that_ends_in_the_middle_of_a_moment_loses_nothing(server, orders):
    rows = (
        [order_at(0, number) for number in range(4)]
        + [order_at(1, number) for number in range(4, 9)]
        + [order_at(2, 9)]
    )
    server.script = Statistics(*rows, cut=6)

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert position == {"since": "2026-11-21T09:02:00", "boundary": [rows[-1]["srid"]]}


def test_a_reading_goes_on_from_where_it_was_saved_and_knows_the_orders_of_its_boundary(server, orders):
    server.script = Statistics(order_at(0), order_at(1, 1), order_at(1, 2))
    _, position = read(orders)
    request_count = len(server.requests)

    again, same = read(orders, position)
    server.script = Statistics(order_at(0), order_at(1, 1), order_at(1, 2), order_at(1, 3), order_at(5))
    news, following = read(orders, position)

    assert position["boundary"] == sorted(srids_of([order_at(1, 1), order_at(1, 2)]))
    assert (len(again), same, request_count + 1) == (2, position, len(server.requests) - 2)
    assert id_set(news) == srids_of([order_at(1, 1), order_at(1, 2), order_at(1, 3), order_at(5)])
    assert following == {"since": "2026-11-21T09:05:00", "boundary": [order_at(5)["srid"]]}


def test_an_order_of_the_boundary_that_came_late_is_remembered_too(server, orders):
    position = {"since": "2026-11-21T09:01:00", "boundary": [order_at(1, 1)["srid"]]}
    server.script = Statistics(order_at(1, 1), order_at(1, 2))

    rows, following = read(orders, position)

    assert len(rows) == 4
    assert following["boundary"] == sorted(srids_of([order_at(1, 1), order_at(1, 2)]))


def test_a_cancellation_is_a_newer_version_of_the_same_order(server, orders):
    server.script = Statistics(order_at(0, 1), order_at(9, 1, isCancel=True, cancelDate="2026-11-21T00:00:00"))

    rows, _ = read(orders)

    first, *_, last = rows
    assert first.external_id == last.external_id
    assert (first.cancelled, last.cancelled) == (False, True)
    assert last.as_of - first.as_of == timedelta(minutes=9)


def test_the_same_version_twice_is_the_same_order(server, orders):
    server.script = Statistics(order_at(0, 1), order_at(0, 1))

    rows, position = read(orders)

    assert len(set(rows)) == 1
    assert position["boundary"] == [order_at(0, 1)["srid"]]


def test_a_position_without_news_stays_as_it_was(server, orders):
    position = {"since": "2026-11-21T09:00:00", "boundary": ["one"]}
    server.script = Statistics()

    assert read(orders, position) == ([], position)


@pytest.mark.parametrize("fractions", [True, False])
def test_fractions_of_a_second_are_gone_on_from_whether_they_are_heard_or_not(server, orders, fractions):
    times = ["09:00:00.100", "09:00:00.5", "09:00:00.123456789", "09:00:01", "09:00:01.25"]
    rows = [order(number, f"2026-11-21T{time}") for number, time in enumerate(times)]
    server.script = Statistics(*rows, cut=4)
    server.script.fractions = fractions

    found, position = read(orders)

    assert id_set(found) == srids_of(rows)
    assert position["since"] == "2026-11-21T09:00:01.250000"
    assert id_set(read(orders, position)[0]) <= srids_of(rows[3:])


def test_a_change_with_an_offset_is_asked_for_in_moscow_time(server, orders):
    server.script = Statistics(order(1, "2026-11-21T06:00:00Z"), order(2, "2026-11-21T09:30:00+03:00"))

    assert read(orders)[1]["since"] == "2026-11-21T09:30:00"


def test_an_order_that_is_read_is_the_order_of_its_row(server, orders):
    server.script = Statistics(order_at(0))

    assert read(orders)[0][0] == parse_order(order_at(0))
    assert parse_order(order_at(0)).as_of == datetime(2026, 11, 21, 6, tzinfo=UTC)
