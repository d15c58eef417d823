"""Parses a response of OpenAI with status 200 into an outcome.

Such a response may be a page of HTML, failed, incomplete, a refusal, or a text that does not match the schema.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from service.advice.outcomes import (
    BROKEN_JSON,
    DRAFTED,
    EMPTY,
    FAILED,
    HTML,
    INCOMPLETE,
    REFUSED,
    UNSTRUCTURED,
)
from service.advice.pricing import TokenUsage
from service.advice.prompt import ANSWER_FIELD
from service.integrations.openai.errors import INPUT_CODES, MAX_REASON_LENGTH
from telemetry.json_safe import without_surrogates

_MAX_NAME_LENGTH: Final = 100
CUT: Final = "length"
"""The `finish_reason` of an answer that has used up its tokens."""
_FINISH_REASONS: Final[Mapping[str, str]] = {
    "completed": "stop",
    "failed": "error",
    "max_output_tokens": CUT,
    "content_filter": "content_filter",
}
_NO_TEXT: Final = "OpenAI's response has no text."


class Verdict(NamedTuple):
    """The outcome, with the answer to the review, or with the reason why there is none."""

    outcome: str
    text: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedResponse:
    """A response of OpenAI. Empty strings and None stand for fields that it does not have."""

    verdict: Verdict
    id: str = ""
    model: str = ""
    usage: TokenUsage | None = None
    finish_reason: str = ""
    error_code: str = ""

    @classmethod
    def broken(cls) -> Self:
        """A response whose body is not complete JSON."""
        return cls(Verdict(BROKEN_JSON, reason="OpenAI's response is not whole JSON."))

    @classmethod
    def from_sdk(cls, response: object) -> Self:
        """Parse what the SDK returns: a `Response` with fields of any type, a string, or any other JSON value."""
        if isinstance(response, str):
            return cls(Verdict(HTML, reason=_bounded(f"OpenAI answered with text that is not JSON: {response}")))
        from openai.types.responses import Response  # noqa: PLC0415  # imported when it is needed: the SDK is slow to load

        if not isinstance(response, Response):
            return cls(Verdict(FAILED, reason="OpenAI's response is JSON, but not the object that its API describes."))
        body = response.to_dict(mode="python", warnings=False)
        return cls(
            _verdict(body),
            _short_text(body, "id"),
            _short_text(body, "model"),
            TokenUsage.from_response(body.get("usage")),
            _finish_reason(body),
            _error_code(body),
        )


def _finish_reason(body: Mapping[str, Any]) -> str:
    """Why the model stopped, in the words of OpenTelemetry's conventions; "" if the response does not say it."""
    said = body.get("status")
    if said == "incomplete":
        details = body.get("incomplete_details")
        said = details.get("reason") if isinstance(details, Mapping) else None
    return _FINISH_REASONS.get(said, "") if isinstance(said, str) else ""


def _verdict(body: Mapping[str, Any]) -> Verdict:
    status = body.get("status")
    if status == "incomplete":
        return Verdict(
            INCOMPLETE, reason=_with_details(body, "incomplete_details", "OpenAI's response is not complete")
        )
    if status != "completed":
        outcome = REFUSED if _error_code(body) in INPUT_CODES else FAILED
        return Verdict(outcome, reason=_with_details(body, "error", _bounded(f"OpenAI's response is {status}")))
    return _verdict_of_contents(list(_contents(body)))


def _error_code(body: Mapping[str, Any]) -> str:
    error = body.get("error")
    return _short_text(error, "code") if isinstance(error, Mapping) else ""


def _verdict_of_contents(contents: list[Mapping[str, Any]]) -> Verdict:
    refusals = [_bounded(content.get("refusal")) for content in contents if content.get("type") == "refusal"]
    if refusals:
        return Verdict(REFUSED, reason=refusals[0])
    texts = [content.get("text") for content in contents if content.get("type") == "output_text"]
    written = "".join(text for text in texts if isinstance(text, str))
    return _verdict_of_text(written) if written.strip() else Verdict(EMPTY, reason=_NO_TEXT)


def _verdict_of_text(written: str) -> Verdict:
    answer = _extract_answer(written)
    if answer is None:
        return Verdict(UNSTRUCTURED, reason="OpenAI's text is not the JSON object that was asked for.")
    if not answer:
        return Verdict(EMPTY, reason=_NO_TEXT)
    return Verdict(DRAFTED, text=answer)


def _extract_answer(written: str) -> str | None:
    try:
        parsed = json.loads(written)
    except (ValueError, RecursionError):
        return None
    answer = parsed.get(ANSWER_FIELD) if isinstance(parsed, dict) else None
    return without_surrogates(answer).strip() if isinstance(answer, str) else None


def _contents(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in _objects(body.get("output")):
        if item.get("type") == "message":
            yield from _objects(item.get("content"))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _with_details(body: Mapping[str, Any], name: str, sentence: str) -> str:
    """The sentence, with the values of the object under that name."""
    details = body.get(name)
    values = [str(value) for value in details.values() if value] if isinstance(details, Mapping) else []
    return _bounded(f"{sentence}: {', '.join(values)}." if values else f"{sentence}.")


def _short_text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return without_surrogates(value)[:_MAX_NAME_LENGTH] if isinstance(value, str) else ""


def _bounded(text: object) -> str:
    return without_surrogates(" ".join(str(text).split()))[:MAX_REASON_LENGTH]
