"""Synchronises orders from a marketplace. Each source continues from its last position."""

import logging
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved
from service.integrations.http.errors import RateLimited
from service.integrations.marketplace import Order, Source
from service.orders.repository import OrderRepository
from service.sync.ingestion import Ingestion, OnCounted, SyncReport

_log = logging.getLogger(__name__)


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
        """Run one sync. A rate limit ends it early, and is no error.

        Args:
            progress: gets the counts at the end, also if an error ends the sync.

        Returns:
            The progress.

        Raises:
            CallError: the marketplace could not be read; the rows read until then are stored.
        """
        report = SyncReport()
        try:
            for source in self._sources:
                self._ingestion.read(source, self._save, report)
        except RateLimited as error:
            _log.warning("%s", error, extra={"component": self._marketplace})
            progress["paused_until"] = error.until.isoformat()
        finally:
            progress.update(report.as_metadata())
        return progress

    def _save(self, session: Session, rows: Sequence[Order]) -> Saved:
        return OrderRepository(session).save(rows, self._now())
