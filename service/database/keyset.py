"""Keyset pagination: the rows after a given one, newest first."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.errors import Problem

MAX_ID: Final = 2**63 - 1


class UnknownCursor(Problem):
    """There is no row with the id of the cursor."""

    status = 422

    def __init__(self, before: int) -> None:
        super().__init__(
            f"before must be the id of a stored row, such as the last one of the page before; got {before}."
        )


def after_row(
    session: Session, timestamp: InstrumentedAttribute[datetime], row_id: InstrumentedAttribute[int], before: int
) -> ColumnElement[bool]:
    """The condition for the rows after a given one, in descending order of timestamp and id.

    Args:
        session: to look up the given row.
        timestamp: the first column of the order.
        row_id: the second column of the order.
        before: the id of the given row.

    Raises:
        UnknownCursor: there is no row with that id.
    """
    last = session.execute(select(timestamp, row_id).where(row_id == before)).one_or_none()
    if last is None:
        raise UnknownCursor(before)
    return tuple_(timestamp, row_id) < tuple_(*last, types=(timestamp.type, row_id.type))
