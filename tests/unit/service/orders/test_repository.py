import re
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from service.database.keyset import UnknownCursor
from service.database.tables import OrderRow
from service.database.upsert import Saved
from service.orders.repository import OrderFilter, OrderRepository
from telemetry.database import create_engine, transaction
from tests.support.fakes import (
    MINUTE,
    NOON,
    an_item,
    an_order,
    on_sqlite,
    plans_of,
    rows_of,
    rows_read,
    without_statistics,
)

LATER = NOON + 60 * MINUTE
MUCH_LATER = NOON + timedelta(days=1)


@pytest.fixture
def save(engine):
    """A transaction for each batch."""

    def save(*orders, now=NOON):
        with transaction(engine) as session:
            return OrderRepository(session).save(orders, now)

    return save


@pytest.fixture
def page(engine):
    def page(wanted=None, **where):
        with transaction(engine) as session:
            rows = OrderRepository(session).page(wanted or OrderFilter(), **where)
        return [row.external_id for row in rows]

    return page


def test_an_order_is_kept_as_it_was_read_with_its_sums(engine, save):
    items = (
        an_item(product_id="1", quantity=2, price=Decimal("0.10")),
        an_item(product_id="2", quantity=1, price=Decimal("0.2"), name="Шарф"),
    )
    order = an_order(1, items=items, cancelled=True, cancelled_at=NOON, scheme="fbs", status="cancelled")

    assert save(order, now=LATER) == Saved(new=1)

    [row] = rows_of(engine, OrderRow)
    told = [name for name in order.__slots__ if name not in ("items", "odd")]
    assert [getattr(row, name) for name in told] == [getattr(order, name) for name in told]
    assert (row.quantity, row.amount, row.currency) == (3, Decimal("0.40"), "RUB")
    assert row.items[1] == {
        "product_id": "2",
        "article": "PJ-12",
        "name": "Шарф",
        "quantity": 1,
        "price": "0.20",
        "currency": "RUB",
    }
    assert (row.first_seen_at, row.updated_at) == (LATER, LATER)


def test_money_comes_back_to_the_last_digit(engine, save):
    amounts = ["0.01", "1234567890.12", "999999999999.99", "0.00", "0.10"]

    save(*(an_order(number, items=(an_item(price=Decimal(each)),)) for number, each in enumerate(amounts)))

    rows = rows_of(engine, OrderRow)
    assert [str(row.amount) for row in rows] == [row.items[0]["price"] for row in rows] == amounts


def test_amounts_of_different_currencies_are_never_added(engine, save):
    prices = [("0", ""), ("100", "RUB"), ("10", "USD"), ("0.50", "RUB")]
    save(an_order(1, items=tuple(an_item(price=Decimal(price), currency=code, quantity=2) for price, code in prices)))

    [row] = rows_of(engine, OrderRow)
    assert (row.quantity, row.amount, row.currency) == (8, Decimal("201.00"), "RUB")
    assert row.amounts == {"RUB": Decimal("201.00"), "USD": Decimal("20.00")}


@pytest.mark.parametrize("items", [(), (an_item(price=Decimal(0), currency="", product_id=""),)])
def test_a_state_without_readable_items_leaves_the_items_that_are_known(engine, save, items):
    save(an_order(1, items=(an_item(quantity=2, price=Decimal("0.10")),)))

    assert save(an_order(1, items=items, status="cancelled", cancelled=True, as_of=LATER)) == Saved(changed=1)
    assert save(an_order(1, items=items, status="cancelled", cancelled=True, as_of=LATER)) == Saved(unchanged=1)

    [row] = rows_of(engine, OrderRow)
    assert (row.status, row.quantity, row.amount, row.currency) == ("cancelled", 2, Decimal("0.20"), "RUB")
    assert row.items[0]["price"] == "0.10"


@pytest.mark.parametrize("status", ["cancelled_from_split_pending", "Cancelled_From_Split_Pending"])
def test_what_a_posting_had_before_it_was_split_is_not_counted_twice(engine, save, status):
    """Its pieces are in the postings that it was split into."""
    save(an_order(1, marketplace="ozon", items=(an_item(quantity=3),)))
    parts = [an_order(number, marketplace="ozon", items=(an_item(quantity=number),)) for number in (2, 1)]
    save(replace(parts[0], external_id="order-1-2"), replace(parts[1], external_id="order-1-3"))

    split = an_order(1, marketplace="ozon", status=status, cancelled=True, items=(), as_of=LATER)
    assert save(split) == Saved(changed=1)
    assert save(split) == Saved(unchanged=1)

    rows = rows_of(engine, OrderRow)
    assert sum(row.quantity for row in rows) == 3
    assert sum(row.quantity for row in rows if not row.cancelled) == 3
    assert sum(row.amounts.get("RUB", 0) for row in rows) == 3 * 2080
    assert (rows[0].quantity, rows[0].amount, rows[0].currency, rows[0].items) == (0, 0, "", [])


@on_sqlite
def test_another_substatus_is_a_change_and_none_is_the_same_as_before(engine, save):
    save(an_order(1))

    assert save(an_order(1, substatus="posting_created", as_of=LATER)) == Saved(changed=1)
    assert save(an_order(1, substatus="posting_registered", as_of=LATER)) == Saved(changed=1)
    assert save(an_order(1, substatus="posting_registered", as_of=LATER)) == Saved(unchanged=1)
    assert rows_of(engine, OrderRow)[0].substatus == "posting_registered"


@on_sqlite
def test_an_order_of_nothing_costs_nothing(engine, save):
    save(an_order(1, items=()))

    [row] = rows_of(engine, OrderRow)
    assert (row.quantity, str(row.amount), row.currency, row.items) == (0, "0.00", "", [])


def test_the_same_again_is_unchanged_however_its_price_is_written(engine, save):
    save(an_order(1, items=(an_item(price=Decimal(81)),)))

    again = an_order(1, items=(an_item(price=Decimal("81.0000")),), as_of=LATER)

    assert save(again, now=LATER) == Saved(unchanged=1)
    [row] = rows_of(engine, OrderRow)
    assert (row.as_of, row.updated_at) == (LATER, NOON)


def test_what_differs_in_anything_is_a_change_and_is_kept(engine, save):
    changes = [
        {"status": "delivered"},
        {"cancelled": True, "cancelled_at": NOON},
        {"order_number": "1"},
        {"scheme": "fbs"},
        {"ordered_at": NOON},
    ]
    save(*(an_order(number) for number, _ in enumerate(changes)))

    changed = [an_order(number, as_of=LATER, **change) for number, change in enumerate(changes)]

    assert save(*changed, now=LATER) == Saved(changed=len(changes))
    rows = rows_of(engine, OrderRow)
    assert [{name: getattr(row, name) for name in change} for row, change in zip(rows, changes, strict=True)] == changes
    assert {(row.as_of, row.first_seen_at, row.updated_at) for row in rows} == {(LATER, NOON, LATER)}


@on_sqlite
def test_other_items_are_a_change_and_so_are_their_sums(engine, save):
    save(an_order(1))

    assert save(an_order(1, items=(an_item(quantity=2),), as_of=LATER)) == Saved(changed=1)

    [row] = rows_of(engine, OrderRow)
    assert (row.quantity, row.amount, row.items[0]["quantity"]) == (2, Decimal("4160.00"), 2)


@on_sqlite
def test_an_earlier_reading_that_comes_later_changes_nothing(engine, save):
    save(an_order(1, status="cancelled", as_of=LATER))

    assert save(an_order(1, status="ordered", as_of=NOON), now=MUCH_LATER) == Saved(unchanged=1)
    assert [row.status for row in rows_of(engine, OrderRow)] == ["cancelled"]


def test_of_one_order_twice_in_a_batch_the_later_reading_counts(engine, save):
    newer = an_order(1, status="cancelled", as_of=LATER)

    assert save(newer, an_order(1), an_order(2)) == Saved(new=2, unchanged=1)
    assert {row.status for row in rows_of(engine, OrderRow)} == {"cancelled", "ordered"}


def test_a_later_reading_wins_whoever_writes_it_first(engine):
    """Two threads write the same orders at once, half of them in an older state."""
    together, failed = threading.Barrier(2), []

    def write(odd):
        own = create_engine(engine.url)
        try:
            for _ in range(10):
                orders = [reading(number, late=number % 2 == odd) for number in range(50)]
                together.wait(30)
                with transaction(own) as session:
                    OrderRepository(session).save(orders, NOON)
        except Exception as error:
            failed.append(error)
        own.dispose()

    writers = [threading.Thread(target=write, args=(odd,)) for odd in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert failed == []
    assert [row.status for row in rows_of(engine, OrderRow)] == ["cancelled"] * 50


def reading(number, *, late):
    return an_order(number, status="cancelled" if late else "ordered", as_of=LATER if late else NOON)


@on_sqlite
def test_pages_go_from_the_newest_to_the_oldest(save, page):
    save(*(an_order(number) for number in range(1, 6)))

    assert page(limit=2) == ["order-5", "order-4"]
    assert page(limit=2, before=4) == ["order-3", "order-2"]
    assert page(limit=2, before=2) == ["order-1"]


@on_sqlite
def test_a_page_behind_an_order_that_is_not_there_is_none(save, page):
    save(an_order(1))

    with pytest.raises(UnknownCursor):
        page(before=2)


def test_orders_of_one_moment_are_each_on_one_page_and_what_is_added_meanwhile_moves_nothing(save, page):
    save(*(an_order(number, ordered_at=NOON) for number in range(1, 6)))
    first = page(limit=2)

    save(an_order(6, ordered_at=NOON), an_order(7, ordered_at=LATER))

    assert first == ["order-5", "order-4"]
    assert page(limit=2, before=4) == ["order-3", "order-2"]
    assert page(limit=2, before=2) == ["order-1"]
    assert page(limit=2) == ["order-7", "order-6"]


def test_a_page_has_what_is_wanted(save, page):
    save(an_order(1), an_order(2, scheme="fbs"), an_order(3, marketplace="ozon"), an_order(4, cancelled=True))
    wanted = {
        OrderFilter(): [4, 3, 2, 1],
        OrderFilter(marketplace="ozon"): [3],
        OrderFilter(scheme="fbs"): [2],
        OrderFilter(scheme="unknown"): [],
        OrderFilter(cancelled=True): [4],
        OrderFilter(cancelled=False, marketplace="wb"): [2, 1],
        OrderFilter(since=an_order(3).ordered_at): [4, 3],
    }

    found = {each: [int(name.removeprefix("order-")) for name in page(each)] for each in wanted}

    assert found == wanted


def test_pages_are_read_along_an_index(engine, save, page):
    save(*(an_order(number, marketplace="wb" if number % 100 else "ozon") for number in range(2000)))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))

    asked = [
        ("ix_orders_ordered_at_id", page),
        ("ix_orders_ordered_at_id", lambda: page(before=1000)),
        ("ix_orders_ordered_at_id", lambda: page(OrderFilter(cancelled=False, scheme="fbo"), before=1000)),
        ("ix_orders_marketplace_ordered_at_id", lambda: page(OrderFilter(marketplace="ozon"), before=1000)),
    ]
    plans = [(index, plans_of(engine, ask)[-1]) for index, ask in asked]

    assert [plan for index, plan in plans if not re.search(rf"\b{index}\b", plan)] == []
    assert [plan for _, plan in plans if re.search("Sort|TEMP B-TREE|Seq Scan", plan)] == []


def test_a_batch_costs_no_more_when_there_are_many_orders(postgres_engine):
    """PostgreSQL has no statistics of a new table, and keeps plans from when it was nearly empty."""
    without_statistics(postgres_engine, "orders")
    few, many = [[number] for number in range(15)], [range(start, start + 100) for start in range(100, 3000, 100)]

    for numbers in few + many:
        with transaction(postgres_engine) as session:
            OrderRepository(session).save([an_order(number) for number in numbers], NOON)

    assert rows_read(postgres_engine, "orders") == 0


def test_an_order_of_an_unknown_date_is_of_the_time_when_it_was_first_read_until_its_date_is_known(engine, save):
    for when in (LATER, MUCH_LATER):
        saved = save(an_order(1, ordered_at=None, as_of=when), now=when)
        assert rows_of(engine, OrderRow)[0].ordered_at == LATER

    assert saved == Saved(unchanged=1)
    save(an_order(1, as_of=MUCH_LATER), now=MUCH_LATER)
    save(an_order(1, ordered_at=None, as_of=MUCH_LATER + MINUTE), now=MUCH_LATER + MINUTE)
    assert rows_of(engine, OrderRow)[0].ordered_at == an_order(1).ordered_at
