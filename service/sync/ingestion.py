"""Reads a source page by page into the database, from a checkpoint. Rows that were read stay if the reading fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from service.database.upsert import Saved, is_bad_row
from service.integrations.http.errors import CallError, RateLimited
from service.integrations.marketplace import START, InvalidPayload, Order, Review, Source
from service.sync.invalid_rows import InvalidRows
from service.sync.positions import ReadingEnd, SyncPositions
from service.sync.source_progress import SourceProgress, StuckPosition
from telemetry.database import transaction
from telemetry.error_text import safe_text

BATCH_ROWS: Final = 2000
"""Rows per transaction. Fewer write each page of an index of random keys more often. More hold SQLite's one lock for
longer than 0.1 s."""
STUCK_AFTER: Final = timedelta(days=2)
"""How long a position may stay where it is while the source has more."""
INVALID: Final = "invalid"
ODD: Final = "odd"
"""Counts the stored rows of which a part is missing, because it could not be read. Each is one of the stored ones, too."""
COUNTED: Final = ("new", "changed", "unchanged", INVALID)
"""What becomes of a row: the values of the label `status`."""
OnCounted = Callable[[str, int], None]
"""Takes a status (one of `COUNTED`, or `ODD`) and a number of rows, after the commit."""
T = TypeVar("T", Review, Order)
Write = Callable[[Session, Sequence[T]], Saved]


@dataclass(slots=True)
class SyncReport:
    """The committed results of a sync. Each row is new, changed, unchanged or invalid, which means that it was not stored.

    Attributes:
        odd: the stored rows of which a part is missing, because it could not be read.
        source: the results of the source that is read now.
        on_change: called with the metadata so far after each page and each transaction.
    """

    pages: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    invalid: int = 0
    odd: int = 0
    source: SourceProgress = field(default_factory=SourceProgress)
    on_change: Callable[[Mapping[str, Any]], None] = field(default=lambda _metadata: None, compare=False)

    def begin_source(self) -> None:
        """Count the results of the next source from zero."""
        self.source = SourceProgress()

    def add_page(self) -> None:
        self.pages += 1
        self.source.pages += 1
        self.on_change(self.as_metadata())

    def add(self, saved: Saved, invalid: Sequence[InvalidPayload] = (), odd: int = 0) -> None:
        """Add the rows of one transaction: what became of those that were stored, how many are odd, and those that were not."""
        self.new += saved.new
        self.changed += saved.changed
        self.unchanged += saved.unchanged
        self.invalid += len(invalid)
        self.odd += odd
        self.source.add(saved, [row.reason for row in invalid])
        self.on_change(self.as_metadata())

    def as_metadata(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in ("pages", *COUNTED, ODD)}


class Ingestion(Generic[T]):
    """Ingests the sources of one stream, such as `wb.orders`.

    The `write` of its methods stores rows, as the first statements of the transaction that it is given.
    """

    def __init__(self, engine: Engine, stream: str, on_counted: OnCounted, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._stream = stream
        self._on_counted = on_counted
        self._now = now

    def read(self, source: Source[T], write: Write[T], report: SyncReport) -> datetime:
        """Read the source from its position to its end.

        Returns:
            When this reading began. A resumed reading keeps the time of its first start.

        Raises:
            CallError: the source could not be read to its end. The rows read before are stored and in `report`.
            StuckPosition: there is more to read, and the position has not moved for days.
        """
        try:
            return self._read(source, write, report)
        except SQLAlchemyError:  # the source is not at fault
            raise
        except Exception as error:
            self._note_error(source.name, error)
            raise

    def _read(self, source: Source[T], write: Write[T], report: SyncReport) -> datetime:
        with transaction(self._engine) as session:
            position, began_at = SyncPositions(session).start(source.name, self._now())
        reached = position
        try:
            for page in source.pages(position):
                for batch in _batches(page.rows):
                    self.store(batch, write, report)
                # Only now: the position is known when the last row has been read.
                with transaction(self._engine) as session:
                    SyncPositions(session).advance(source.name, page.position, self._now())
                report.add_page()
                reached = page.position
        except RateLimited:
            self._end(source.name, ReadingEnd(moved=reached != position, has_more=report.source.pages > 0))
            raise
        if too_many := report.source.invalid_share():  # the sync fails for it when it has read all of its sources
            self._note_error(source.name, too_many)
        has_more = report.source.none_stored or (report.source.new > 0 and reached != START)
        self._end(source.name, ReadingEnd(finished=True, moved=reached != position, has_more=has_more))
        return began_at

    def _end(self, name: str, end: ReadingEnd) -> None:
        now = self._now()
        with transaction(self._engine) as session:
            since = SyncPositions(session).end(name, end, now)
        if since is not None and now - since > STUCK_AFTER:
            raise StuckPosition(since)

    def _note_error(self, name: str, error: Exception) -> None:
        """The text of an unexpected error is not kept: it may contain a row."""
        reason = str(error) if isinstance(error, CallError) else safe_text(error)
        with suppress(SQLAlchemyError), transaction(self._engine) as session:
            SyncPositions(session).note_error(name, reason, self._now())

    def store(self, batch: Sequence[T | InvalidPayload], write: Write[T], report: SyncReport) -> None:
        """Store rows in one transaction, or in more to isolate the rows that the database rejects (by halving)."""
        try:
            saved, invalid, odd = self._commit(batch, write)
        except Exception as error:
            if not is_bad_row(error):
                raise
            for part in _split(batch, error):
                self.store(part, write, report)
        else:
            report.add(saved, invalid, odd)
            self._count(saved, len(invalid), odd)

    def _commit(
        self, batch: Sequence[T | InvalidPayload], write: Write[T]
    ) -> tuple[Saved, Sequence[InvalidPayload], int]:
        """Both the rows that cannot be stored and the odd parts of the others are kept as invalid rows."""
        rows, invalid = _partition(batch)
        odd: list[InvalidPayload] = [row.odd for row in rows if row.odd is not None]
        noted = invalid + odd
        with transaction(self._engine) as session:
            saved, invalid_rows = write(session, rows), InvalidRows(session, self._stream)
            invalid_rows.resolve(row.external_id for row in rows if row.odd is None)
            invalid_rows.record(noted, self._now())
        return saved, invalid, len(odd)

    def _count(self, saved: Saved, invalid: int, odd: int) -> None:
        numbers = (saved.new, saved.changed, saved.unchanged, invalid, odd)
        for status, number in zip((*COUNTED, ODD), numbers, strict=True):
            if number:
                self._on_counted(status, number)


def _batches(rows: Iterable[T | InvalidPayload]) -> Iterator[list[T | InvalidPayload]]:
    """Yield batches as rows arrive, and clear each before the next: a page may not fit into memory."""
    source = iter(rows)
    while batch := list(islice(source, BATCH_ROWS)):
        yield batch
        batch.clear()


def _partition(batch: Sequence[T | InvalidPayload]) -> tuple[list[T], list[InvalidPayload]]:
    rows = [row for row in batch if not isinstance(row, InvalidPayload)]
    return rows, [row for row in batch if isinstance(row, InvalidPayload)]


def _split(batch: Sequence[T | InvalidPayload], error: Exception) -> list[list[T | InvalidPayload]]:
    """Two halves of a batch; of a single row, the invalid row with the database's reason."""
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
