"""Synchronises reviews from a marketplace.

Re-reads all unanswered reviews, continues the rest from the last position, and reads delisted reviews one by one. The
list that has waited longest is read first, so that few calls an hour serve all of them.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import astuple
from datetime import datetime
from functools import partial
from itertools import chain, zip_longest
from typing import Any, Final

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from service.database.upsert import Saved
from service.integrations.http.errors import RateLimited
from service.integrations.marketplace import Review, ReviewMarketplace, Source
from service.reviews.rejections import report_rejections
from service.reviews.repository import ReviewRepository
from service.reviews.turns import Turns
from service.scheduler.job import Skipped
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
            progress: gets the counts so far, and all of them at the end, also if an error ends the sync.

        Returns:
            The progress; `Skipped` if no source could be asked.

        Raises:
            CallError: a source could not be read; the rows read until then are stored. Of several sources a group.
        """
        report, extra_counts = SyncReport(on_change=progress.update), {"gone": 0}
        failures = SourceFailures(self._marketplace.name, report)
        try:
            self._read(report, extra_counts, failures)
            report_rejections(self._engine, self._marketplace.name, self._now())
            failures.conclude(progress)
        finally:
            progress.update(report.as_metadata(), **extra_counts)
        return Skipped(progress) if failures.only_waited else progress

    def _read(self, report: SyncReport, extra_counts: dict[str, int], failures: SourceFailures) -> None:
        waiting = [source.name for source in self._marketplace.unanswered]
        turns = Turns(self._engine, f"{self._marketplace.name}.reviews.single", waiting, self._now)
        steps: dict[str, Callable[[], object]] = {
            source.name: partial(self._read_unanswered, source, report, turns)
            for source in self._marketplace.unanswered
        }
        for source in self._marketplace.history:
            steps[source.name] = partial(self._ingestion.read, source, self._save, report)
        steps[turns.name] = partial(self._read_delisted, report, extra_counts, turns)
        for name in turns.order(steps):
            with failures.apart(name), turns.taken(name, lambda: (*astuple(report), *extra_counts.values())):
                steps[name]()
        reasons = failures.reasons
        if turns.name in reasons:
            turns.note_error(reasons[turns.name], reasons)

    def _read_unanswered(self, source: Source[Review], report: SyncReport, turns: Turns) -> None:
        turns.has_read(source.name, self._ingestion.read(source, self._save_unanswered, report))

    def _read_delisted(self, report: SyncReport, extra_counts: dict[str, int], turns: Turns) -> None:
        """Only what was in none of all lists: a review that is missing in some may be in one that could not be read."""
        if (since := turns.waiting_since) is not None:
            for external_id in self._delisted(since):
                self._refresh(external_id, report, extra_counts)
            turns.finish()

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
            stale = reviews.stale_unanswered(name, started_at, MAX_STALE_REVIEWS)
            moderated = reviews.in_moderation(name, started_at, MAX_MODERATED_REVIEWS)
        in_turn = chain.from_iterable(zip_longest(stale, moderated))
        return [external_id for external_id in in_turn if external_id is not None]

    def _refresh(self, external_id: str, report: SyncReport, extra_counts: dict[str, int]) -> None:
        """Read one review again: it may be answered, removed, or archived, which means that it needs no answer."""
        asked_at = self._now()
        try:
            review = self._marketplace.read(external_id)
        except RateLimited:
            raise  # it was not asked for, and is still the first one
        except Exception:
            self._mark_seen(external_id, asked_at)  # one that can never be read is behind the others the next time
            raise
        self._mark_seen(external_id, asked_at)
        if review is not None:
            self._ingestion.store([review], self._save, report)
        if review is None or (isinstance(review, Review) and not review.answered):
            self._mark_gone(external_id, asked_at if review is None else review.as_of, extra_counts)

    def _mark_seen(self, external_id: str, asked_at: datetime) -> None:
        with transaction(self._engine) as session:
            ReviewRepository(session).mark_seen(self._marketplace.name, [external_id], asked_at)

    def _mark_gone(self, external_id: str, as_of: datetime, extra_counts: dict[str, int]) -> None:
        """Has no effect on a review that was read later: it may be answered by now."""
        with transaction(self._engine) as session:
            gone = ReviewRepository(session).mark_gone(self._marketplace.name, external_id, as_of)
        if gone:
            extra_counts["gone"] += 1
            self._record("gone", 1)
