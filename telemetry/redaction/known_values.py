"""Finds the secrets that this process was given, in every encoding that a library may use."""

import base64
import heapq
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

from telemetry.redaction.matching import Found, substitute

MIN_SECRET_LENGTH: Final = 8
"""Characters. A shorter value also occurs in ordinary words: it is redacted only where it matches a pattern."""

_PREFIX_LENGTH: Final = 12  # characters by which a long secret is recognized, also when the rest is cut off
_MIN_LENGTH_FOR_PREFIX: Final = 24
_REST: Final = re.compile(r"[A-Za-z0-9_\-.~%+/=\\]*+")
_SPACING: Final = 160
_PERCENT_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")


class KnownSecrets:
    """Replaces each known secret by its name, such as `[hidden WB_API_TOKEN]`."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._forms: dict[str, tuple[tuple[str, str], ...]] = {}

    def add(self, secrets: Mapping[str, str]) -> None:
        """Redact these secrets as well.

        Args:
            secrets: values by name. Values shorter than `MIN_SECRET_LENGTH` are ignored.
        """
        added = {
            value: name
            for name, value in secrets.items()
            if len(value) >= MIN_SECRET_LENGTH and value not in self._values
        }
        if added:
            self._values = {**self._values, **added}
            self._prepare()

    def _prepare(self) -> None:
        """Order the forms by the text that is searched, the longest form first."""
        forms = {form: name for value, name in self._values.items() for form in encoded_forms(value)}
        by_needle: dict[str, tuple[tuple[str, str], ...]] = {}
        for form in sorted(forms, key=len, reverse=True):
            by_needle[_needle(form)] = (*by_needle.get(_needle(form), ()), (form, forms[form]))
        self._forms = by_needle

    def redact(self, text: str) -> str:
        found = [_find(needle, forms, text) for needle, forms in self._forms.items() if needle in text]
        return substitute(text, heapq.merge(*found, key=_longest_first), _SPACING) if found else text


def _longest_first(found: Found) -> tuple[int, int]:
    start, end, _ = found
    return start, -end


def _find(needle: str, forms: tuple[tuple[str, str], ...], text: str) -> Iterator[Found]:
    """Each place of one of the forms, which all begin with the needle, and of what is left of a long form that was cut off."""
    start = text.find(needle)
    while start >= 0:
        whole = next(((form, name) for form, name in forms if text.startswith(form, start)), None)
        form, name = whole or forms[-1]
        end = start + len(form) if whole else _end_of_rest(text, start + len(needle))
        yield start, end, f"[hidden {name}]"
        start = text.find(needle, end)


def _end_of_rest(text: str, start: int) -> int:
    rest = _REST.match(text, start)
    return rest.end() if rest else start


def encoded_forms(value: str) -> set[str]:
    """The value itself, URL-encoded, escaped for JSON, Python and HTML, and inside any base64."""
    encoded = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {_PERCENT_ESCAPE.sub(lambda match: match[0].lower(), form) for form in encoded}
    escaped = {json.dumps(value)[1:-1], repr(value)[1:-1], html.escape(value), html.escape(value, quote=False)}
    return {value, *encoded, *lower, *escaped, *_base64_forms(value.encode("utf-8", "surrogatepass"))}


def _base64_forms(value: bytes) -> Iterator[str]:
    """The part that is the same in the base64 of any text with the value, for each of the three possible alignments."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value).decode()
        start = -(-offset * 8 // 6)
        end = (offset + len(value)) * 8 // 6
        for form in {encoded[start:end], encoded[start:end].translate(_URL_SAFE)}:
            if len(form) >= MIN_SECRET_LENGTH:
                yield form


_URL_SAFE: Final = str.maketrans("+/", "-_")


def _needle(form: str) -> str:
    return form[:_PREFIX_LENGTH] if len(form) >= _MIN_LENGTH_FOR_PREFIX else form
