"""Kept: the rows of a service's database, beside what there is at the marketplaces. Each row is listed, however often it is there."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.tables import OrderRow, ReviewRow
from service.integrations.wildberries.moscow_time import MOSCOW
from tests.support.sandboxes import SandboxClient

Rows = list[tuple[Any, ...]]


def count(engine: Engine, table: type[Any]) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _rows(engine: Engine, marketplace: str, *columns: Any) -> Rows:
    with Session(engine) as session:
        found = session.execute(select(*columns).where(columns[0].class_.marketplace == marketplace))
        return sorted(map(tuple, found))


def wb_orders(engine: Engine) -> Rows:
    return _rows(engine, "wb", OrderRow.external_id, OrderRow.cancelled, OrderRow.as_of)


def wb_orders_in(world: SandboxClient) -> Rows:
    return sorted(
        (row["srid"], row["isCancel"], _moscow(row["lastChangeDate"])) for row in world.expected_state("wb", "orders")
    )


def _moscow(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW).astimezone(UTC)


def ozon_orders(engine: Engine) -> Rows:
    return _rows(engine, "ozon", OrderRow.external_id, OrderRow.status, OrderRow.scheme)


def ozon_orders_in(world: SandboxClient) -> Rows:
    return sorted(
        (row["posting_number"], row["status"], row["scheme"]) for row in world.expected_state("ozon", "orders")
    )


def wb_reviews(engine: Engine) -> Rows:
    """The last word is whether it waits for no answer: what is processed or archived does not."""
    kept = (ReviewRow.external_id, ReviewRow.rating, ReviewRow.answered, func.coalesce(ReviewRow.answer_text, ""))
    return _rows(engine, "wb", *kept, ReviewRow.answered | ReviewRow.gone_at.is_not(None))


def wb_reviews_in(world: SandboxClient) -> Rows:
    return sorted(
        (row["id"], row["rating"], row["answered"], row["answer_text"] or "", row["answered"] or row["archived"])
        for row in world.expected_state("wb", "reviews")
    )


def ozon_reviews(engine: Engine) -> Rows:
    return _rows(engine, "ozon", ReviewRow.external_id, ReviewRow.rating, ReviewRow.answered)


def ozon_reviews_in(world: SandboxClient) -> Rows:
    return sorted(
        (row["id"], row["rating"], row["status"] == "PROCESSED") for row in world.expected_state("ozon", "reviews")
    )


def differences(ours: Rows, theirs: Rows) -> list[tuple[str, tuple[Any, ...]]]:
    """What only one of the two has; what is there more often than once is named as such."""
    twice = [("twice", row) for row, next_row in pairwise(ours) if row[0] == next_row[0]]
    mine, yours = set(ours), set(theirs)
    return twice + [("kept", row) for row in sorted(mine - yours)] + [("true", row) for row in sorted(yours - mine)]
