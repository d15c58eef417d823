"""The body with which a review is answered, and everything that can be wrong with it."""

import json
import re
from typing import Final

_SHORTEST: Final = 2
_LONGEST: Final = 5_000
_MIME: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


class BadAnswer(ValueError):
    """The message is the `detail` of the answer."""


def read_answer(content_type: str | None, body: bytes) -> tuple[str, str]:
    """The id of a review, of which nothing is known, and the text of its answer.

    Raises:
        BadAnswer: Wildberries would not take it.
    """
    _check_type(content_type)
    fields = _json(body)
    review_id, text = (fields.get(name) for name in ("id", "text"))
    if not isinstance(review_id, str) or not isinstance(text, str):
        raise BadAnswer("Неверный формат запроса")
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise BadAnswer(f"Длина ответа должна быть от {_SHORTEST} до {_LONGEST} символов")
    return review_id, text


def _check_type(content_type: str | None) -> None:
    if not content_type:
        raise BadAnswer("content-type header not specified")
    mime = content_type.partition(";")[0].strip().lower()
    if not _MIME.fullmatch(mime):
        raise BadAnswer(f"content-type is not a valid mime-type: {content_type}")
    if mime != "application/json":
        raise BadAnswer(f"not a json content-type: {content_type}")


def _json(body: bytes) -> dict[str, object]:
    """Half of a surrogate pair, which JSON can spell and UTF-8 cannot, is no text either."""
    try:
        fields = json.loads(body)
        json.dumps(fields, ensure_ascii=False).encode()
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise BadAnswer("Неверный синтаксис JSON")
    return fields
