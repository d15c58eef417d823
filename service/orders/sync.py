"""The sync of orders: each source from where it was left."""

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
    """`record` is told of rows by what became of them: `new`, `changed`, `unchanged`, `invalid`."""

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
        """`progress` says what was done, also when an error ends it.

        Raises:
            CallError: the marketplace could not be read; what was read until then is stored.
        """
        report = SyncReport()
        try:
            for source in self._sources:
                self._ingestion.read(source, self._write, report)
        except RateLimited as pause:
            _log.warning("%s", pause, extra={"component": self._marketplace})
            progress["paused_until"] = pause.until.isoformat()
        finally:
            progress.update(report.as_metadata())
        return progress

    def _write(self, session: Session, rows: Sequence[Order]) -> Saved:
        return OrderRepository(session).save(rows, self._now())
