"""Fakes of marketplaces and their sources, reviews and orders, and helpers for database tests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from sqlalchemy import event, select, text

from service.integrations.http.errors import Unreachable
from service.integrations.marketplace import InvalidPayload, Item, Order, Page, Review
from telemetry.database import transaction
from tests.support.processes import eventually

NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""For tests of what does not depend on SQL, where one database is enough."""
UNREACHABLE = Unreachable("The marketplace does not answer.", may_have_applied=True)


def a_review(number=1, **known):
    """Numbered, created a minute after the one numbered before it, read at noon."""
    return Review(
        **{
            "marketplace": "wb",
            "external_id": f"review-{number}",
            "created_at": NOON - timedelta(days=1) + number * MINUTE,
            "rating": 5,
            "text": "Fits well.",
            "product_id": "245901773",
            "product_name": "Pyjamas",
            "answered": False,
            "answer_text": None,
            "answer_state": "none",
            "as_of": NOON,
        }
        | known
    )


def answered(number=1, **known):
    return a_review(number, **{"answered": True, "answer_text": "Thank you!", "answer_state": "published"} | known)


def an_item(**known):
    return Item(
        **{"product_id": "1", "article": "PJ-12", "name": "Pyjamas", "quantity": 1, "price": Decimal(2080)}
        | {"currency": "RUB"}
        | known
    )


def an_order(number=1, **known):
    return Order(
        **{
            "marketplace": "wb",
            "external_id": f"order-{number}",
            "order_number": "98765",
            "scheme": "fbo",
            "ordered_at": NOON - timedelta(days=1) + number * MINUTE,
            "status": "ordered",
            "cancelled": False,
            "cancelled_at": None,
            "items": (an_item(),),
            "as_of": NOON,
        }
        | known
    )


def invalid_row(number=1, **known):
    return InvalidPayload(
        **{"external_id": f"order-{number}", "reason": "date is missing", "payload": {"number": number}} | known
    )


class TickingClock:
    """Advances by a second at each call."""

    def __init__(self):
        self._seconds = count(1)

    def __call__(self):
        return NOON + timedelta(seconds=next(self._seconds))


@dataclass
class FakeSource:
    """A source with pages of rows, whose position is the number of the page. An error in place of a page is raised.

    `begins_anew`: the position behind the last page is the beginning, as in lists of unanswered reviews.
    """

    pages_of: list
    name: str = "wb.orders"
    begins_anew: bool = False
    positions: list = field(default_factory=list)

    def pages(self, position):
        self.positions.append(dict(position))
        first = position.get("page", 0)
        for number, rows in enumerate(self.pages_of[first:], first + 1):
            if isinstance(rows, Exception):
                raise rows
            last = number == len(self.pages_of)
            yield Page(iter(rows), {} if last and self.begins_anew else {"page": number})


class FakeMarketplace:
    """A `ReviewMarketplace`. `now` holds the reviews that can be read by themselves, or errors."""

    name = "wb"
    answer_length = 5000

    def __init__(self, unanswered=((),), history=((),), now=None):
        self.unanswered = [FakeSource(list(unanswered), "wb.reviews.unanswered", begins_anew=True)]
        self.history = [FakeSource(list(history), "wb.reviews.answered")]
        self.now = dict(now or {})
        self.read_alone = []

    def read(self, external_id):
        self.read_alone.append(external_id)
        found = self.now.get(external_id)
        if isinstance(found, Exception):
            raise found
        return found

    def answer(self, external_id, text):
        raise AssertionError("No sync answers a review.")


def rows_of(engine, table):
    """All rows of a table, the oldest number first."""
    with transaction(engine) as session:
        return session.scalars(select(table).order_by(*table.__table__.primary_key.columns)).all()


def rows_read(engine, table):
    """The number of rows that PostgreSQL has read from a table. Connections report it when they end."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    read = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = :table")
    engine.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        eventually(lambda: connection.scalar(others) == 0)
        return connection.scalar(read, {"table": table})


def without_statistics(engine, table):
    """Turn off autovacuum, so that the planner has no statistics of the table."""
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))


def plans_of(engine, function):
    """The query plans of the SELECT and UPDATE statements that a function executes.

    Sequential scans are off, since PostgreSQL prefers them for tables of a few rows.
    """
    plans = []

    def explain(connection, _cursor, statement, parameters, _context, many):
        if statement.startswith(("SELECT", "UPDATE")):
            plans.append(_explained(connection, statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", explain)
    function()
    event.remove(engine, "before_cursor_execute", explain)
    return plans


def _explained(connection, statement, parameters):
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
    else:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return "\n".join(str(row[-1]) for row in cursor.fetchall())
