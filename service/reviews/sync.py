"""Synchronises reviews from a marketplace.

Re-reads all unanswered reviews, continues the rest from the last position, and reads delisted reviews one by one.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved
from service.integrations.marketplace import Review, ReviewMarketplace
from service.reviews.rejected_answer import report_rejection
from service.reviews.repository import ReviewRepository
from service.sync.ingestion import Ingestion, OnCounted, SyncReport
from service.sync.source_failures import SourceFailures
from telemetry.database import transaction

MAX_STALE_REVIEWS: Final = 200
MAX_MODERATED_REVIEWS: Final = 50


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
        """Run one sync. A source that fails or has to pause for its rate limit does not keep the others from being read.

        Args:
            progress: gets the counts at the end, also if an error ends the sync.

        Returns:
            The progress.

        Raises:
            CallError: a source could not be read; the rows read until then are stored. Of several sources a group.
        """
        report, extra_counts, failures = SyncReport(), {"gone": 0}, SourceFailures(self._marketplace.name)
        try:
            self._read(report, extra_counts, failures)
            failures.conclude(progress)
        finally:
            progress.update(report.as_metadata(), **extra_counts)
        return progress

    def _read(self, report: SyncReport, extra_counts: dict[str, int], failures: SourceFailures) -> None:
        began = []
        for source in self._marketplace.unanswered:
            with failures.apart(source.name):
                began.append(self._ingestion.read(source, self._save_unanswered, report))
        knows_unanswered = not failures
        for source in self._marketplace.history:
            with failures.apart(source.name):
                self._ingestion.read(source, self._save, report)
        if knows_unanswered:  # a review that is in none of some lists may be in one that could not be read
            with failures.apart(f"{self._marketplace.name}.reviews.single"):
                for external_id in self._delisted(min(began)):
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
            report_rejection(review)
        if review is None or (isinstance(review, Review) and not review.answered):
            self._mark_gone(external_id, asked_at if review is None else review.as_of, extra_counts)

    def _mark_gone(self, external_id: str, as_of: datetime, extra_counts: dict[str, int]) -> None:
        """Has no effect on a review that was read later: it may be answered by now."""
        with transaction(self._engine) as session:
            gone = ReviewRepository(session).mark_gone(self._marketplace.name, external_id, as_of)
        if gone:
            extra_counts["gone"] += 1
            self._record("gone", 1)
