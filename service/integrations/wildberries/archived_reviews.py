"""The archive of Wildberries' reviews: the only list that has ratings without text and photo."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.marketplace import Page, Position, Review
from service.integrations.wildberries import reviews
from service.integrations.wildberries.reviews import MAX_SKIP, FetchRows, created_second, parse_review
from service.names import WB

OVERLAP: Final = timedelta(days=1)
_log = logging.getLogger(__name__)


class ArchivedReviews:
    """The archived reviews without an answer, the newest first: once all, later from a day before the newest known one.

    Those with an answer are in the list of processed reviews, too, and are left to it.
    """

    name = f"{WB}.reviews.archived"

    def __init__(self, fetch: FetchRows, now: Callable[[], datetime]) -> None:
        self._fetch = fetch
        self._now = now

    def pages(self, position: Position) -> Iterator[Page[Review]]:
        """New reviews move the others back while pages are read: some rows come twice, and none is missed."""
        newest, skip, until = position.get("newest"), position.get("skip", 0), _until(position)
        while True:
            as_of = self._now()
            rows = self._fetch({"order": "dateDesc", "take": reviews.PAGE_SIZE, "skip": skip})
            seconds = [second for row in rows if (second := created_second(row)) is not None]
            newest = max(filter(None, (newest, *_not_ahead(seconds, as_of))), default=None)
            skip += reviews.PAGE_SIZE
            is_last = len(rows) < reviews.PAGE_SIZE or (until is not None and min(seconds, default=until) < until)
            is_cut = not is_last and skip > MAX_SKIP
            behind = {} if is_last or is_cut else {"skip": skip, "until": until}
            yield Page(
                [parse_review(row, as_of, processed=True) for row in rows if not _has_answer(row)],
                {"newest": newest, **behind},
            )
            if is_last or is_cut:
                break
        if is_cut:
            _log.warning("wb returns only the newest %d archived reviews.", skip, extra={"component": WB})


def _until(position: Position) -> int | None:
    """The second of creation down to which the archive is read; None for all of it."""
    if "skip" in position:
        until: int | None = position["until"]
        return until
    newest = position.get("newest")
    return None if newest is None else newest - int(OVERLAP.total_seconds())


def _not_ahead(seconds: list[int], as_of: datetime) -> list[int]:
    """A date ahead of the clock counts as now, so that it does not hide the reviews between."""
    return [min(second, int(as_of.timestamp())) for second in seconds]


def _has_answer(row: Any) -> bool:
    return isinstance(row, Mapping) and row.get("answer") is not None
