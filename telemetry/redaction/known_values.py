"""Finds the secrets that this process was given, in every encoding that a library may use."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

MIN_SECRET_LENGTH: Final = 8
"""Characters. A shorter value also occurs in ordinary words: it is redacted only where it matches a pattern."""

_PREFIX_LENGTH: Final = 12  # characters by which a long secret is recognized, also when the rest is cut off
_MIN_LENGTH_FOR_PREFIX: Final = 24
_REST: Final = r"[A-Za-z0-9_\-.~%+/=\\]*"
_PERCENT_ESCAPE: Final = re.compile(r"%[0-9A-F]{2}")


class KnownSecrets:
    """Replaces each known secret by its name, such as `[hidden WB_API_TOKEN]`."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._needles: tuple[str, ...] = ()
        self._pattern = re.compile(r"(?!)")

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
        forms = {form: name for value, name in self._values.items() for form in encoded_forms(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        names = {_needle(form): forms[form] for form in longest_first}
        self._pattern = re.compile("|".join(_expression(form) for form in longest_first))
        self._names = names
        self._needles = tuple(names)

    def redact(self, text: str) -> str:
        for needle in self._needles:
            if needle in text:
                return self._pattern.sub(self._placeholder, text)
        return text

    def _placeholder(self, match: re.Match[str]) -> str:
        text = match[0]
        name = self._names.get(text) or self._names.get(text[:_PREFIX_LENGTH])
        return f"[hidden {name or 'secret'}]"


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


def _expression(form: str) -> str:
    needle = _needle(form)
    whole = re.escape(form)
    return whole if needle == form else f"{whole}|{re.escape(needle)}{_REST}"
