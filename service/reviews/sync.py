"""Synchronises reviews from a marketplace.

Re-reads all unanswered reviews, continues the rest from the last position, and reads delisted reviews one by one.
"""

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

MAX_STALE_REVIEWS: Final = 200
MAX_MODERATED_REVIEWS: Final = 50
_log = logging.getLogger(__name__)


class ReviewSync:
    """`record` gets the number of committed rows by result: `new`, `changed`, `unchanged`, `invalid`, `gone`."""

    def __init__(
        self, marketplace: ReviewMarketplace, engine: Engine, record: OnCounted, now: Callable[[], datetime]
    ) -> None:
        self._marketplace = marketplace
        self._engine = engine
        self._record = record
        self._now = now
        self._ingestion: Ingestion[Review] = Ingestion(engine, f"{marketplace.name}.reviews", record, now)

    def run(self, progress: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Run one sync. A rate limit ends it early, and is no error.

        Args:
            progress: gets the counts at the end, also if an error ends the sync.

        Returns:
            The progress.

        Raises:
            CallError: the marketplace could not be read; the rows read until then are stored.
        """
        report, extra_counts = SyncReport(), {"gone": 0}
        try:
            self._read(report, extra_counts)
        except RateLimited as error:
            _log.warning("%s", error, extra={"component": self._marketplace.name})
            progress["paused_until"] = error.until.isoformat()
        finally:
            progress.update(report.as_metadata(), **extra_counts)
        return progress

    def _read(self, report: SyncReport, extra_counts: dict[str, int]) -> None:
        started_at = min(
            self._ingestion.read(source, self._save_unanswered, report) for source in self._marketplace.unanswered
        )
        for source in self._marketplace.history:
            self._ingestion.read(source, self._save, report)
        for external_id in self._delisted(started_at):
            self._refresh(external_id, report, extra_counts)

    def _save_unanswered(self, session: Session, rows: Sequence[Review]) -> Saved:
        reviews = ReviewRepository(session)
        saved = reviews.save(rows, self._now())
        reviews.mark_seen(self._marketplace.name, [row.external_id for row in rows], self._now())
        return saved

    def _save(self, session: Session, rows: Sequence[Review]) -> Saved:
        return ReviewRepository(session).save(rows, self._now())

    def _delisted(self, started_at: datetime) -> Sequence[str]:
        """Reviews stored as unanswered, and no longer in the lists of unanswered ones; and those whose answer is moderated."""
        with transaction(self._engine) as session:
            reviews, name = ReviewRepository(session), self._marketplace.name
            return [
                *reviews.stale_unanswered(name, started_at, MAX_STALE_REVIEWS),
                *reviews.in_moderation(name, started_at, MAX_MODERATED_REVIEWS),
            ]

    def _refresh(self, external_id: str, report: SyncReport, extra_counts: dict[str, int]) -> None:
        """Read one review again: it may be answered, removed, or archived, which means that it needs no answer."""
        asked_at = self._now()
        # Before the call: a review that can never be read is then behind the others the next time.
        with transaction(self._engine) as session:
            ReviewRepository(session).mark_seen(self._marketplace.name, [external_id], asked_at)
        review = self._marketplace.read(external_id)
        if review is not None:
            self._ingestion.store([review], self._save, report)
        if review is None or (isinstance(review, Review) and not review.answered):
            self._mark_gone(external_id, asked_at if review is None else review.as_of, extra_counts)

    def _mark_gone(self, external_id: str, as_of: datetime, extra_counts: dict[str, int]) -> None:
        """Has no effect on a review that was read later: it may be answered by now."""
        with transaction(self._engine) as session:
            gone = ReviewRepository(session).mark_gone(self._marketplace.name, external_id, as_of)
        if gone:
            extra_counts["gone"] += 1
            self._record("gone", 1)
