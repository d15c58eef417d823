"""The seller's answer to a review, as the list of its comments shows it: published, in moderation, or rejected."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from service.integrations.http.client import ApiClient
from service.integrations.http.errors import Unreadable
from service.integrations.marketplace import IN_MODERATION, PUBLISHED, REJECTED, InvalidField
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import Payload, optional_text_field

_PAGE_SIZE: Final = 100
_MAX_REASON_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `reason` is why it was rejected; None if it was not, or Ozon does not say."""

    text: str
    state: str
    reason: str | None = None


def fetch_answers(client: ApiClient, review_id: str) -> list[Answer]:
    """The seller's comments of a review, the newest first. Those beyond the first page are left out.

    A comment that Ozon has taken a moment ago may not be listed yet, and one may never be.

    Raises:
        CallError: as `post`.
    """
    body = {"review_id": review_id, "limit": _PAGE_SIZE, "offset": 0, "sort_dir": "DESC"}
    response = post(client, "/v1/review/comment/list", body)
    comments = [] if response.get("comments", response) is None else response.get("comments")
    if not isinstance(comments, list):
        raise Unreadable("Ozon's response has no list of `comments`.")
    return list(_answers(comments))


def shown_answer(answers: Iterable[Answer]) -> Answer | None:
    """The answer that counts: the newest published one, else the newest. None without any."""
    answers = list(answers)
    return next((answer for answer in answers if answer.state == PUBLISHED), next(iter(answers), None))


def _answers(comments: Iterable[object]) -> Iterator[Answer]:
    """Comments that can't be read, or are not the seller's, are left out."""
    for comment in comments:
        if isinstance(comment, Mapping) and comment.get("is_owner") is True:
            try:
                yield _answer(comment)
            except InvalidField:
                continue


def _answer(comment: Payload) -> Answer:
    """A comment that does not say that it is published is not shown yet."""
    text = optional_text_field(comment, "text", max_length=None)
    if comment.get("is_rejected") is True:
        return Answer(text, REJECTED, _reason(comment))
    return Answer(text, PUBLISHED if comment.get("is_published") is True else IN_MODERATION)


def _reason(comment: Payload) -> str | None:
    try:
        return " ".join(optional_text_field(comment, "deviation_reason", _MAX_REASON_LENGTH).split()) or None
    except InvalidField:
        return None
