"""Ingestion: a source is read page by page into the database. What was read stays, whatever ends the reading."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved, is_bad_row
from service.integrations.marketplace import InvalidPayload, Order, Review, Source
from service.sync.invalid_rows import InvalidRows
from service.sync.positions import SyncPositions
from telemetry.database import transaction

BATCH: Final = 2000
"""Rows in a transaction. With fewer, each page of an index of random keys is written more often; more hold SQLite's one lock
for longer than a tenth of a second."""
OnCounted = Callable[[str, int], None]
"""Takes what became of rows, and of how many, when it has been committed."""
T = TypeVar("T", Review, Order)
Write = Callable[[Session, Sequence[T]], Saved]


@dataclass(slots=True)
class SyncReport:
    """What a sync did, counted as it is committed."""

    pages: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    invalid: int = 0

    def add(self, saved: Saved, invalid: int) -> None:
        self.new += saved.new
        self.changed += saved.changed
        self.unchanged += saved.unchanged
        self.invalid += invalid

    def as_metadata(self) -> Mapping[str, Any]:
        return asdict(self)


class Ingestion(Generic[T]):
    """`kind` is what is read, such as `wb.orders`; `write` stores rows in the transaction that it is given, first in it."""

    def __init__(self, engine: Engine, kind: str, record: OnCounted, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._kind = kind
        self._record = record
        self._now = now

    def read(self, source: Source[T], write: Write[T], report: SyncReport) -> datetime:
        """Read on to the end. Returns when this reading began, which may have been before it was cut off.

        Raises:
            CallError: the source could not be read to its end; what was read until then is stored and reported.
        """
        with transaction(self._engine) as session:
            position, began_at = SyncPositions(session).begin(source.name, self._now())
        for page in source.pages(position):
            for batch in _batches(page.rows):
                self.store(batch, write, report)
            # Not before: it is known when the last row has been read.
            with transaction(self._engine) as session:
                SyncPositions(session).move(source.name, page.position, self._now())
            report.pages += 1
        with transaction(self._engine) as session:
            SyncPositions(session).finish(source.name, self._now())
        return began_at

    def store(self, batch: Sequence[T | InvalidPayload], write: Write[T], report: SyncReport) -> None:
        """In one transaction, or in as many as it takes to keep aside the rows that the database refuses."""
        try:
            saved, invalid = self._commit(batch, write)
        except Exception as error:
            if not is_bad_row(error):
                raise
            for part in _parts(batch, error):
                self.store(part, write, report)
        else:
            report.add(saved, invalid)
            self._count(saved, invalid)

    def _commit(self, batch: Sequence[T | InvalidPayload], write: Write[T]) -> tuple[Saved, int]:
        rows, invalid = _sorted(batch)
        with transaction(self._engine) as session:
            saved, aside = write(session, rows), InvalidRows(session, self._kind)
            aside.forget(row.external_id for row in rows)
            aside.keep(invalid, self._now())
        return saved, len(invalid)

    def _count(self, saved: Saved, invalid: int) -> None:
        became = {"new": saved.new, "changed": saved.changed, "unchanged": saved.unchanged, "invalid": invalid}
        for status, number in became.items():
            if number:
                self._record(status, number)


def _batches(rows: Iterable[T | InvalidPayload]) -> Iterator[list[T | InvalidPayload]]:
    """As they come, and gone when the next one is asked for: a page may be larger than what fits into memory."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch
        batch.clear()


def _sorted(batch: Sequence[T | InvalidPayload]) -> tuple[list[T], list[InvalidPayload]]:
    rows = [row for row in batch if not isinstance(row, InvalidPayload)]
    return rows, [row for row in batch if isinstance(row, InvalidPayload)]


def _parts(batch: Sequence[T | InvalidPayload], error: Exception) -> list[list[T | InvalidPayload]]:
    """Two halves; of one row, what says why it was refused."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return [list(batch[:middle]), list(batch[middle:])]
    [row] = batch
    if isinstance(row, InvalidPayload):
        raise error
    reason, *_ = str(getattr(error, "orig", None) or error).splitlines()
    return [
        [InvalidPayload(external_id=row.external_id, reason=f"the database refuses it: {reason}", payload=asdict(row))]
    ]
