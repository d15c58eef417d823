"""The page Reviews: reviews with their drafts, and the forms that publish an answer or draft another one, as the API does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from service.advice.checks.draft_check import describe
from service.api.dependencies import RuntimeDependencies
from service.api.review_actions import draft_another, publish_text
from service.database.keyset import MAX_ID, UnknownCursor
from service.database.tables import AdviceRow, ReviewRow
from service.errors import Problem
from service.integrations.http.errors import CallError, NotConfigured
from service.names import DRAFTED, HELD, MARKETPLACES
from service.reviews.repository import ReviewFilter, ReviewNotFound, ReviewRepository
from service.settings import Settings
from telemetry.console import Action, ConsolePage, PageNotFound, Part, Refused, View, read_part
from telemetry.database import transaction
from telemetry.error_text import safe_text

T = TypeVar("T")
PER_PAGE: Final = 25
TEMPLATES: Final = Path(__file__).parent / "templates"
_ANSWERED: Final[Mapping[str, bool | None]] = {"waiting": False, "answered": True, "all": None}
_RATINGS: Final = ("1", "2", "3", "4", "5")
_STATES: Final = ("none", "moderation", "published", "rejected")
_NOT_PROTECTED: Final = (
    "This changes what buyers see, so it needs OPS_TOKEN to be set. Set it, and restart the service."
)


@dataclass(frozen=True, slots=True)
class ReviewsPage:
    """Reads reviews and changes answers, with the clients and connections of `runtime`."""

    runtime: RuntimeDependencies
    settings: Settings

    def pages(self) -> Sequence[ConsolePage]:
        actions = (
            Action("/reviews/{review_id:int}/answer", self.publish, "/reviews/{review_id}"),
            Action("/reviews/{review_id:int}/advice", self.draft_again, "/reviews/{review_id}"),
        )
        return (
            ConsolePage("/reviews", "Reviews", "reviews.html", self.read, TEMPLATES, actions=actions),
            ConsolePage("/reviews/{review_id}", "Review", "review.html", self.read_one, TEMPLATES, in_navigation=False),
        )

    def read(self, view: View) -> Mapping[str, Any]:
        filters = _filters(view)
        rows: Part[Sequence[ReviewRow]] = read_part(
            "Reviews", lambda: self._rows(view, filters), (), from_database=True
        )
        return {
            "rows": rows.value[:PER_PAGE],
            "older": rows.value[PER_PAGE - 1].id if len(rows.value) > PER_PAGE else None,
            "problem": rows,
            "marketplaces": MARKETPLACES,
            "ratings": _RATINGS,
            "answer_states": _STATES,
            "answered": tuple(_ANSWERED),
            "given": {name: view.text(name) for name in ("marketplace", "rating", "answered", "answer_state")},
        }

    def _rows(self, view: View, filters: ReviewFilter) -> Sequence[ReviewRow]:
        before = view.whole_number("before", 0, most=MAX_ID) or None
        with transaction(self.runtime.engines.requests) as session:
            try:
                return ReviewRepository(session).page(filters, before=before, limit=PER_PAGE + 1)
            except UnknownCursor as error:
                view.notes["before"] = f"{error} Not used."
                return ReviewRepository(session).page(filters, limit=PER_PAGE + 1)

    def read_one(self, view: View) -> Mapping[str, Any]:
        review_id = _review_id(view)
        view.heading = f"Review {review_id}"
        found: Part[tuple[ReviewRow, AdviceRow | None] | None] = _translated(
            lambda: read_part("The review", lambda: self._review(review_id), None, from_database=True)
        )
        if found.value is None:
            return {"review_id": review_id, "problem": found, "row": None}
        row, advice = found.value
        return {
            "review_id": review_id,
            "problem": found,
            "row": row,
            "advice": advice,
            "held": describe(advice.failed_checks) if advice is not None and advice.failed_checks else "",
            "is_usable": advice is not None and advice.outcome == DRAFTED,
            "is_draft": advice is not None and advice.outcome in {DRAFTED, HELD},
            "can_publish": self.settings.ops_token is not None,
            "can_answer": row.answer_state in {"none", "rejected"} and not row.answered,
            "no_token": _NOT_PROTECTED,
        }

    def _review(self, review_id: int) -> tuple[ReviewRow, AdviceRow | None]:
        with transaction(self.runtime.engines.requests) as session:
            reviews = ReviewRepository(session)
            return reviews.get(review_id), reviews.advice(review_id)

    def publish(self, view: View) -> str:
        """Publish the text of the form; without one, the newest draft."""
        if self.settings.ops_token is None:
            raise Refused(_NOT_PROTECTED)
        text = view.form.get("text", "").replace("\r\n", "\n").strip() or None
        publication = _translated(lambda: publish_text(self.runtime, _review_id(view), text))
        return (
            "The answer is published."
            if publication.state == "published"
            else "The answer was sent: a sync will see it."
        )

    def draft_again(self, view: View) -> str:
        advice = _translated(lambda: draft_another(self.runtime, _review_id(view)))
        if advice.outcome == DRAFTED:
            return "There is a new draft."
        return (
            f"There is a new draft, and it is held: {describe(advice.failed_checks or [])}"
            if advice.outcome == HELD
            else (f"No draft was made ({advice.outcome}): {advice.reason or 'without a reason'}.")
        )


def _filters(view: View) -> ReviewFilter:
    rating = view.choice("rating", _RATINGS)
    return ReviewFilter(
        marketplace=view.choice("marketplace", MARKETPLACES) or None,
        rating=int(rating) if rating else None,
        answered=_ANSWERED[view.choice("answered", tuple(_ANSWERED), "all")],
        answer_state=view.choice("answer_state", _STATES) or None,
    )


def _review_id(view: View) -> int:
    given = str(view.params["review_id"])
    if not (given.isascii() and given.isdigit() and 0 < int(given[:20]) <= MAX_ID):
        raise PageNotFound(f"There is no review {given[:50]!r}. The page Reviews lists what there is.")
    return int(given)


def _translated(call: Callable[[], T]) -> T:
    """The errors that the API shows to its clients, as those of the console."""
    try:
        return call()
    except ReviewNotFound as error:
        raise PageNotFound(str(error)) from error
    except (Problem, CallError, NotConfigured) as error:
        raise Refused(str(error)) from error
    except SQLAlchemyError as error:
        raise Refused(f"The database cannot be used now: {safe_text(error)}.") from error
