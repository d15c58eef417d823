"""ParsedResponse: an answer of OpenAI with status 200, read once, and what it comes to.

Such an answer may be a page of HTML, a response that failed, one that was cut, a refusal, or a text that is not of the form.
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
    TOO_LONG,
    UNSTRUCTURED,
)
from service.advice.pricing import Usage
from service.advice.prompt import ANSWER
from service.integrations.openai.errors import MAX_REASON_LENGTH
from telemetry.json_safe import without_surrogates

_LONGEST_NAME: Final = 100
_NO_TEXT: Final = "OpenAI's answer has no text."


class Verdict(NamedTuple):
    """What an answer comes to, with its text or with the reason why there is none."""

    outcome: str
    text: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedResponse:
    verdict: Verdict
    id: str = ""
    model: str = ""
    usage: Usage | None = None

    @classmethod
    def broken(cls) -> Self:
        return cls(Verdict(BROKEN_JSON, reason="OpenAI's answer is not whole JSON."))

    @classmethod
    def of(cls, answer: object, answer_length: int) -> Self:
        """From whatever the SDK returns: a `Response` whose fields may be of any type, a string, or any other JSON."""
        if isinstance(answer, str):
            return cls(Verdict(HTML, reason=_bounded(f"OpenAI answered with text that is not JSON: {answer}")))
        from openai.types.responses import Response  # noqa: PLC0415  # the SDK is slow to load, and needed late

        if not isinstance(answer, Response):
            return cls(Verdict(FAILED, reason="OpenAI's answer is JSON, but no response."))
        body = answer.to_dict(mode="python", warnings=False)
        return cls(_verdict(body, answer_length), _name(body, "id"), _name(body, "model"), Usage.of(body.get("usage")))


def _verdict(body: Mapping[str, Any], answer_length: int) -> Verdict:
    status = body.get("status")
    if status == "incomplete":
        return Verdict(INCOMPLETE, reason=_said(body, "incomplete_details", "OpenAI's answer is not complete"))
    if status != "completed":
        return Verdict(FAILED, reason=_said(body, "error", _bounded(f"OpenAI's answer is {status}")))
    return _of_contents(list(_contents(body)), answer_length)


def _of_contents(contents: list[Mapping[str, Any]], answer_length: int) -> Verdict:
    refusals = [_bounded(content.get("refusal")) for content in contents if content.get("type") == "refusal"]
    if refusals:
        return Verdict(REFUSED, reason=refusals[0])
    texts = [content.get("text") for content in contents if content.get("type") == "output_text"]
    written = "".join(text for text in texts if isinstance(text, str))
    return _of_text(written, answer_length) if written.strip() else Verdict(EMPTY, reason=_NO_TEXT)


def _of_text(written: str, answer_length: int) -> Verdict:
    answer = _answer_in(written)
    if answer is None:
        return Verdict(UNSTRUCTURED, reason="OpenAI's text is not the JSON object that was asked for.")
    if not answer:
        return Verdict(EMPTY, reason=_NO_TEXT)
    if len(answer) > answer_length:
        return Verdict(
            TOO_LONG, reason=f"The answer has {len(answer)} characters, of {answer_length} that it may have."
        )
    return Verdict(DRAFTED, text=answer)


def _answer_in(written: str) -> str | None:
    try:
        parsed = json.loads(written)
    except (ValueError, RecursionError):
        return None
    answer = parsed.get(ANSWER) if isinstance(parsed, dict) else None
    return without_surrogates(answer).strip() if isinstance(answer, str) else None


def _contents(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for item in _objects(body.get("output")):
        if item.get("type") == "message":
            yield from _objects(item.get("content"))


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _said(body: Mapping[str, Any], name: str, otherwise: str) -> str:
    """A sentence, with what the details under that name say."""
    details = body.get(name)
    said = [str(value) for value in details.values() if value] if isinstance(details, Mapping) else []
    return _bounded(f"{otherwise}: {', '.join(said)}." if said else f"{otherwise}.")


def _name(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    return without_surrogates(value)[:_LONGEST_NAME] if isinstance(value, str) else ""


def _bounded(text: object) -> str:
    return without_surrogates(" ".join(str(text).split()))[:MAX_REASON_LENGTH]
