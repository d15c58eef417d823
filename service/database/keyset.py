"""Keyset: rows behind another one, newest first."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.errors import Problem

MAX_ID: Final = 2**63 - 1


class UnknownCursor(Problem):
    """There is nothing to read on behind."""

    status = 422

    def __init__(self, before: int) -> None:
        super().__init__(f"before={before}: there is no row of that id to read on behind. The first page needs none.")


def after_row(
    session: Session, moment: InstrumentedAttribute[datetime], number: InstrumentedAttribute[int], before: int
) -> ColumnElement[bool]:
    """Rows that follow the one numbered `before`, when the newest come first and of the same moment the last numbered.

    Raises:
        UnknownCursor: there is none of that number.
    """
    last = session.execute(select(moment, number).where(number == before)).one_or_none()
    if last is None:
        raise UnknownCursor(before)
    return tuple_(moment, number) < tuple_(*last, types=(moment.type, number.type))
