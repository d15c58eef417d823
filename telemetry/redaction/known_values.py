"""Finds the secrets that this process was given, in every encoding that a library may use, also if they are cut off."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from telemetry.redaction.base64_forms import JoinedLines, may_have_line_breaks
from telemetry.redaction.known_secret import forms_of
from telemetry.redaction.matching import Found, substitute
from telemetry.redaction.piece_search import PieceSearch

MIN_SECRET_LENGTH: Final = 8
"""Characters. A shorter value also occurs in ordinary words: it is redacted only where it matches a pattern."""

_SPACING: Final = 160
_FREQUENT: Final = "e0t1a2o3in4s5r6h7l8d9cumfpgwybvkETAOINSRHLDCUMFPGWYBVK-_./ "
"""Characters of ordinary texts, the most frequent first: a search that begins with others is faster."""


class KnownSecrets:
    """Replaces each known secret by its name, such as `[hidden WB_API_TOKEN]`."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._search = PieceSearch([])

    def add(self, secrets: Mapping[str, str]) -> None:
        """Redact these secrets as well.

        Args:
            secrets: values by name. Values shorter than `MIN_SECRET_LENGTH` are ignored.
        """
        added = {
            value: name
            for name, value in ((name, _without_space_around(given)) for name, given in secrets.items())
            if len(value) >= MIN_SECRET_LENGTH and value not in self._names
        }
        if added:
            self._names = {**self._names, **added}
            self._prepare()

    def _prepare(self) -> None:
        forms = [form for value, name in self._names.items() for form in forms_of(name, value)]
        pieces = [piece for form in forms for piece in form.pieces()]
        starts = _few_characters([piece.possible_starts() for piece in pieces])
        self._search = PieceSearch([(piece.patterns(starts), piece) for piece in pieces])

    def redact(self, text: str) -> str:
        found = self._search.find(text)
        if not may_have_line_breaks(text) or len((joined := JoinedLines(text)).text) == len(text):
            return substitute(text, found, _SPACING)
        in_lines = ((*joined.span(start, end), shown) for start, end, shown in self._search.find(joined.text))
        return substitute(text, heapq.merge(found, in_lines, key=_longest_first), _SPACING)


def _without_space_around(value: str) -> str:
    stripped = value.strip()
    return stripped if len(stripped) >= MIN_SECRET_LENGTH else value


def _longest_first(found: Found) -> tuple[int, int]:
    start, end, _ = found
    return start, -end


def _few_characters(choices: Iterable[str]) -> str:
    """Few characters, of which each choice has one: the fewer there are, the fewer places of a text are looked at."""
    left, chosen = [set(choice) for choice in choices if choice], ""
    while left:
        numbers = Counter(character for choice in left for character in choice)
        best = max(numbers, key=lambda character: (numbers[character], _FREQUENT.find(character) % 99, character))
        chosen += best
        left = [choice for choice in left if best not in choice]
    return chosen
