"""Known: the secrets that this process was given, found in every form in which a library may show them."""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

MIN_SECRET_LENGTH: Final = 8
"""Characters. A shorter value is in ordinary words, too: it is hidden only where its shape gives it away."""

_HEAD: Final = 12  # of a long one that much is enough to be known by, also when the rest is cut off
_LONG: Final = 24
_REST: Final = r"[A-Za-z0-9_\-.~%+/=\\]*"
_LOWER: Final = re.compile(r"%[0-9A-F]{2}")


class KnownSecrets:
    """Replaces each of them by the name of what it is, such as `[hidden WB_API_TOKEN]`."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._needles: tuple[str, ...] = ()
        self._pattern = re.compile(r"(?!)")

    def learn(self, secrets: Mapping[str, str]) -> None:
        """From now on these are hidden as well. `secrets` are names and values; one that is too short is left out."""
        fresh = {
            value: name
            for name, value in secrets.items()
            if len(value) >= MIN_SECRET_LENGTH and value not in self._values
        }
        if fresh:
            self._values = {**self._values, **fresh}
            self._prepare()

    def _prepare(self) -> None:
        forms = {form: name for value, name in self._values.items() for form in forms_of(value)}
        longest_first = sorted(forms, key=len, reverse=True)
        names = {_needle(form): forms[form] for form in longest_first}
        self._pattern = re.compile("|".join(_expression(form) for form in longest_first))
        self._names = names
        self._needles = tuple(names)

    def hide(self, text: str) -> str:
        for needle in self._needles:
            if needle in text:
                return self._pattern.sub(self._mark, text)
        return text

    def _mark(self, found: re.Match[str]) -> str:
        text = found[0]
        name = self._names.get(text) or self._names.get(text[:_HEAD])
        return f"[hidden {name or 'secret'}]"


def forms_of(value: str) -> set[str]:
    """The value as it is, URL-encoded, escaped as JSON, Python and HTML do, and inside of any base64."""
    encoded = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {_LOWER.sub(lambda found: found[0].lower(), form) for form in encoded}
    escaped = {json.dumps(value)[1:-1], repr(value)[1:-1], html.escape(value), html.escape(value, quote=False)}
    return {value, *encoded, *lower, *escaped, *_base64_forms(value.encode("utf-8", "surrogatepass"))}


def _base64_forms(value: bytes) -> Iterator[str]:
    """What is the same in the base64 of anything that holds the value, at each of the three places where it may begin."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode()
        begin = -(-before * 8 // 6)
        whole = (before + len(value)) * 8 // 6
        for form in {encoded[begin:whole], encoded[begin:whole].translate(_URL_SAFE)}:
            if len(form) >= MIN_SECRET_LENGTH:
                yield form


_URL_SAFE: Final = str.maketrans("+/", "-_")


def _needle(form: str) -> str:
    return form[:_HEAD] if len(form) >= _LONG else form


def _expression(form: str) -> str:
    needle = _needle(form)
    whole = re.escape(form)
    return whole if needle == form else f"{whole}|{re.escape(needle)}{_REST}"
