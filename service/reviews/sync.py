"""The sync of reviews: what waits for an answer as a whole, the rest from where it was left, and what has vanished one by one."""

import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved
from service.integrations.http.errors import RateLimited
from service.integrations.marketplace import Review, ReviewMarketplace
from service.reviews.repository import ReviewRepository
from service.sync.ingestion import Ingestion, OnCounted, SyncReport
from telemetry.database import transaction

MISSED: Final = 200
MODERATED: Final = 50
_log = logging.getLogger(__name__)


class ReviewSync:
    """`record` is told of rows by what became of them: `new`, `changed`, `unchanged`, `invalid`, `gone`."""

    def __init__(
        self, marketplace: ReviewMarketplace, engine: Engine, record: OnCounted, now: Callable[[], datetime]
    ) -> None:
        self._marketplace = marketplace
        self._engine = engine
        self._record = record
        self._now = now
        self._kind = f"{marketplace.name}.reviews"
        self._ingestion: Ingestion[Review] = Ingestion(engine, self._kind, record, now)

    def run(self, progress: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """`progress` says what was done, also when an error ends it.

        Raises:
            CallError: the marketplace could not be read; what was read until then is stored.
        """
        report, also = SyncReport(), {"gone": 0}
        try:
            self._read(report, also)
        except RateLimited as pause:
            _log.warning("%s", pause, extra={"component": self._marketplace.name})
            progress["paused_until"] = pause.until.isoformat()
        finally:
            progress.update(report.as_metadata(), **also)
        return progress

    def _read(self, report: SyncReport, also: dict[str, int]) -> None:
        began = min(self._ingestion.read(source, self._waiting, report) for source in self._marketplace.unanswered)
        for source in self._marketplace.history:
            self._ingestion.read(source, self._history, report)
        for external_id in self._vanished(began):
            self._look(external_id, report, also)

    def _waiting(self, session: Session, rows: Sequence[Review]) -> Saved:
        reviews = ReviewRepository(session)
        saved = reviews.save(rows, self._now())
        reviews.mark_seen(self._marketplace.name, [row.external_id for row in rows], self._now())
        return saved

    def _history(self, session: Session, rows: Sequence[Review]) -> Saved:
        return ReviewRepository(session).save(rows, self._now())

    def _vanished(self, began: datetime) -> Sequence[str]:
        """Kept as waiting, and in no list of what waits; and those that the marketplace's moderators look at."""
        with transaction(self._engine) as session:
            reviews, name = ReviewRepository(session), self._marketplace.name
            return [*reviews.missed(name, began, MISSED), *reviews.in_moderation(name, began, MODERATED)]

    def _look(self, external_id: str, report: SyncReport, also: dict[str, int]) -> None:
        """Answered meanwhile, or removed; or archived, which is no longer to be answered either."""
        asked = self._now()
        # Before it is read: one that never can be has had its turn, and is behind the others the next time.
        with transaction(self._engine) as session:
            ReviewRepository(session).mark_seen(self._marketplace.name, [external_id], asked)
        found = self._marketplace.read(external_id)
        if found is not None:
            self._ingestion.store([found], self._history, report)
        if found is None or (isinstance(found, Review) and not found.answered):
            self._let_go(external_id, asked if found is None else found.as_of, also)

    def _let_go(self, external_id: str, as_of: datetime, also: dict[str, int]) -> None:
        """Unless somebody has read it later, who may have found it answered."""
        with transaction(self._engine) as session:
            gone = ReviewRepository(session).mark_gone(self._marketplace.name, external_id, as_of)
        if gone:
            also["gone"] += 1
            self._record("gone", 1)
