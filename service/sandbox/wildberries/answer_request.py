"""Parses the body of a request that answers a review."""

import json
import re
from typing import Final

_MIN_LENGTH: Final = 2
_MAX_LENGTH: Final = 5_000
_MIME: Final = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


class InvalidAnswerRequest(ValueError):
    """The message is the `detail` of the response."""


def parse_answer_request(content_type: str | None, body: bytes) -> tuple[str, str]:
    """Returns the id of a review, which may not exist, and the text of the answer.

    Raises:
        InvalidAnswerRequest: Wildberries would refuse it.
    """
    _check_type(content_type)
    fields = _parse_json(body)
    review_id, text = (fields.get(name) for name in ("id", "text"))
    if not isinstance(review_id, str) or not isinstance(text, str):
        raise InvalidAnswerRequest("Неверный формат запроса")
    if not _MIN_LENGTH <= len(text) <= _MAX_LENGTH:
        raise InvalidAnswerRequest(f"Длина ответа должна быть от {_MIN_LENGTH} до {_MAX_LENGTH} символов")
    return review_id, text


def _check_type(content_type: str | None) -> None:
    if not content_type:
        raise InvalidAnswerRequest("content-type header not specified")
    mime = content_type.partition(";")[0].strip().lower()
    if not _MIME.fullmatch(mime):
        raise InvalidAnswerRequest(f"content-type is not a valid mime-type: {content_type}")
    if mime != "application/json":
        raise InvalidAnswerRequest(f"not a json content-type: {content_type}")


def _parse_json(body: bytes) -> dict[str, object]:
    """Half of a surrogate pair, which JSON can contain and UTF-8 cannot, is an error as well."""
    try:
        fields = json.loads(body)
        json.dumps(fields, ensure_ascii=False).encode()
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise InvalidAnswerRequest("Неверный синтаксис JSON")
    return fields
