"""Numbers the writes of one process, so that one whose commit had an unknown result is neither lost nor counted twice."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.database.cost_tables import CostWriteRow
from service.database.upsert import insert_into


class WriteNumber:
    """The number of the last write, which its transaction has put into `cost_writes`."""

    def __init__(self) -> None:
        self._process = ""
        self._number = 0

    def advance(self, session: Session, now: datetime) -> None:
        """Number the write of this transaction."""
        self._process = self._process or str(uuid4())  # not when it is made: a server may fork workers after that
        self._number += 1
        insert = insert_into(session, CostWriteRow).values(process=self._process, number=self._number, written_at=now)
        new = {"number": insert.excluded.number, "written_at": insert.excluded.written_at}
        session.execute(insert.on_conflict_do_update(index_elements=[CostWriteRow.process], set_=new))

    def is_committed(self, session: Session, now: datetime) -> bool:
        """Whether the last write was committed. Waits for a commit that the server has not finished yet."""
        row = CostWriteRow
        insert = insert_into(session, row).values(process=self._process, number=0, written_at=now)
        session.execute(insert.on_conflict_do_nothing())
        number = session.scalar(select(row.number).where(row.process == self._process).with_for_update())
        return number == self._number
