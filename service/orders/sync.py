"""Synchronises orders from a marketplace. Each source continues from its last position."""

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved
from service.integrations.marketplace import Order, Source
from service.orders.repository import OrderRepository
from service.scheduler.job import Skipped
from service.sync.ingestion import Ingestion, OnCounted, SyncReport
from service.sync.source_failures import SourceFailures


class OrderSync:
    """`record` gets the number of committed rows by result: `new`, `changed`, `unchanged`, `invalid`."""

    def __init__(
        self,
        marketplace: str,
        sources: Iterable[Source[Order]],
        engine: Engine,
        record: OnCounted,
        now: Callable[[], datetime],
    ) -> None:
        self._marketplace = marketplace
        self._sources = tuple(sources)
        self._now = now
        self._ingestion: Ingestion[Order] = Ingestion(engine, f"{marketplace}.orders", record, now)

    def run(self, progress: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Run one sync. A source that fails or has to pause for its rate limit does not keep the others from being read.

        Args:
            progress: gets the counts so far, and all of them at the end, also if an error ends the sync.

        Returns:
            The progress; `Skipped` if no source could be asked.

        Raises:
            CallError: a source could not be read; the rows read until then are stored. Of several sources a group.
        """
        report = SyncReport(on_change=progress.update)
        failures = SourceFailures(self._marketplace, report)
        try:
            for source in self._sources:
                with failures.apart(source.name):
                    self._ingestion.read(source, self._save, report)
            failures.conclude(progress)
        finally:
            progress.update(report.as_metadata())
        return Skipped(progress) if failures.only_waited else progress

    def _save(self, session: Session, rows: Sequence[Order]) -> Saved:
        return OrderRepository(session).save(rows, self._now())
