"""Ozon's moderation of comments: a fresh one is not listed, then it waits, then it is published or rejected."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.sandbox.ozon.review_model import Comment

_REJECTED: Final = (
    (re.compile(r"https?://|www\.|\b[a-z0-9-]+\.(?:ru|com)\b", re.IGNORECASE), "Внешняя ссылка"),
    (re.compile(r"\S+@\S+|(?:\+7|\b8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]*\d{2}"), "Контактные данные"),
)


@dataclass(frozen=True, slots=True)
class ListedComment:
    """A comment as the list shows it. `deviation_reason` is empty unless it was rejected."""

    comment: Comment
    is_published: bool = False
    deviation_reason: str = ""


def moderate(comment: Comment, now: datetime, duration: timedelta) -> ListedComment | None:
    """The comment in its current state; None in the first half of the moderation, in which it is not listed."""
    age = now - comment.at
    if age < duration / 2:
        return None
    if age < duration:
        return ListedComment(comment)
    reason = next((reason for pattern, reason in _REJECTED if pattern.search(comment.text)), "")
    return ListedComment(comment, is_published=not reason, deviation_reason=reason)
