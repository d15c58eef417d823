import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, StatementError

from service.database.tables import OrderRow, ReviewRow
from service.database.upsert import Saved, digest, is_bad_row
from service.orders.repository import OrderRepository
from service.reviews.repository import ReviewRepository
from telemetry.database import create_engine, transaction
from tests.support.fakes import MINUTE, NOON, a_review, an_order, on_sqlite, rows_of, without_statistics
from tests.support.forking import in_children
from tests.support.processes import SOON

LATER = NOON + 60 * MINUTE


def save(engine, *orders):
    with transaction(engine) as session:
        return OrderRepository(session).save(orders, NOON)


def statuses(engine):
    return {row.external_id: row.status for row in rows_of(engine, OrderRow)}


def test_a_batch_may_hold_what_is_new_changed_unchanged_and_there_twice(engine):
    save(engine, an_order(1), an_order(2), an_order(3))
    changed, outdated = an_order(2, status="cancelled", as_of=LATER), an_order(3, status="old", as_of=NOON - MINUTE)

    saved = save(engine, an_order(1), changed, outdated, an_order(4), changed, an_order(2))

    assert saved == Saved(new=1, changed=1, unchanged=4)
    assert statuses(engine) == {
        "order-1": "ordered",
        "order-2": "cancelled",
        "order-3": "ordered",
        "order-4": "ordered",
    }


@on_sqlite
def test_what_is_unchanged_and_no_later_is_not_written(engine):
    save(engine, an_order(1))
    said = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement.split()[0]))

    save(engine, an_order(1))

    assert "INSERT" not in said


def test_nothing_stays_of_what_was_rolled_back(engine):
    with pytest.raises(IntegrityError):
        save(engine, an_order(1), an_order(2, order_number=None))

    assert save(engine, an_order(1)) == Saved(new=1)


def test_an_upsert_waits_for_another_one_and_then_sees_its_rows(engine):
    saved = []
    second = threading.Thread(target=lambda: saved.append(save(engine, an_order(1), an_order(2))))

    with transaction(engine) as session:
        OrderRepository(session).save([an_order(1)], NOON)
        second.start()
        second.join(0.2)
        waited = second.is_alive()
    second.join(SOON)

    assert waited
    assert saved == [Saved(new=1, unchanged=1)]


@on_sqlite  # PostgreSQL sees no difference between two processes and two engines
def test_two_processes_that_save_the_same_at_once_have_each_row_once_and_its_newest_state(engine):
    def save_all(order, as_of, status):
        own, new = create_engine(engine.url), 0
        for batch in range(10):
            numbers = range(batch * 20, batch * 20 + 20)[::order]
            with transaction(own) as session:
                orders = [an_order(number, as_of=as_of, status=status) for number in numbers]
                new += OrderRepository(session).save(orders, NOON).new
            with transaction(own) as session:
                reviews = [a_review(number, as_of=as_of, text=status) for number in numbers]
                new += ReviewRepository(session).save(reviews, NOON).new
        return new

    early, late = in_children(lambda: save_all(-1, NOON, "ordered"), lambda: save_all(1, NOON + MINUTE, "cancelled"))

    assert early + late == 400
    assert statuses(engine) == {f"order-{number}": "cancelled" for number in range(200)}
    assert {row.external_id: row.text for row in rows_of(engine, ReviewRow)} == {
        f"review-{number}": "cancelled" for number in range(200)
    }


def test_how_a_batch_is_planned_is_nobody_elses_business(postgres_engine):
    without_statistics(postgres_engine, "orders")

    with transaction(postgres_engine) as session:
        OrderRepository(session).save([an_order(1)], NOON)
        during = session.scalar(text("SHOW enable_seqscan"))
    with transaction(postgres_engine) as session:
        after = session.scalar(text("SHOW enable_seqscan"))

    assert postgres_engine.pool.status().startswith("Pool size: 5  Connections in pool: 1 ")  # it was the same one
    assert (during, after) == ("off", "on")


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (DataError("INSERT", {}, Exception("too long")), True),
        (IntegrityError("INSERT", {}, Exception("null")), True),
        (StatementError("no moment", "INSERT", {}, ValueError("no time zone")), True),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), True),
        (OverflowError("too large"), True),
        (OperationalError("INSERT", {}, Exception("the server is gone")), False),
        (TypeError("a mistake"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_are_refused_and_a_database_that_is_gone_refuses_nothing(error, refusal):
    assert is_bad_row(error) is refusal


def test_a_digest_is_the_same_for_the_same_and_another_for_anything_else():
    moscow = NOON.astimezone(timezone(timedelta(hours=3)))
    content = {"text": "Шарф", "price": Decimal("0.10")}

    assert digest("a", NOON, content) == digest("a", moscow, dict(reversed(content.items())))
    others = [("a", NOON + MINUTE, content), ("b", NOON, content), ("a", NOON, {}), ("a", None, content), ("aa",), ()]
    assert len({digest(*other) for other in [("a", NOON, content), *others]}) == len(others) + 1


def test_a_digest_is_what_it_was_in_what_is_stored():
    assert digest("Too small", 3, None, datetime(2025, 10, 2, tzinfo=UTC)) == "8f55790ffafcbd4586706d457f4580ee"
