"""Finds the secrets that this process was given, in every encoding that a library may use, also if they are cut off."""

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from telemetry.redaction.base64_forms import JoinedLines, may_have_line_breaks
from telemetry.redaction.known_secret import SecretPiece, forms_of
from telemetry.redaction.matching import Found, substitute

MIN_SECRET_LENGTH: Final = 8
"""Characters. A shorter value also occurs in ordinary words: it is redacted only where it matches a pattern."""

_SPACING: Final = 160
_FREQUENT: Final = "e0t1a2o3in4s5r6h7l8d9cumfpgwybvkETAOINSRHLDCUMFPGWYBVK-_./ "
"""Characters of ordinary texts, the most frequent first: a search that begins with others is faster."""


class KnownSecrets:
    """Replaces each known secret by its name, such as `[hidden WB_API_TOKEN]`."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._any_piece = re.compile(r"(?!)")
        self._pieces: list[tuple[SecretPiece, ...]] = []

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
        found: list[tuple[SecretPiece, ...]] = []
        expression = _alternatives([(piece.patterns(starts), piece) for piece in pieces], found)
        self._any_piece, self._pieces = re.compile(expression), found

    def redact(self, text: str) -> str:
        found = self._find(text)
        if not may_have_line_breaks(text) or len((joined := JoinedLines(text)).text) == len(text):
            return substitute(text, found, _SPACING)
        in_lines = ((*joined.span(start, end), shown) for start, end, shown in self._find(joined.text))
        return substitute(text, heapq.merge(found, in_lines, key=_longest_first), _SPACING)

    def _find(self, text: str) -> Iterator[Found]:
        """Each known secret in the text, and each place that only begins like one."""
        match = self._any_piece.search(text)
        while match:
            pieces = self._pieces[(match.lastindex or 1) - 1]
            _, start, end, name = max(piece.extent(text, match.start()) for piece in pieces)
            yield start, end, f"[hidden {name}]" if name else None
            match = self._any_piece.search(text, end if name else match.start() + 1)


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


Remaining = tuple[tuple[str, ...], SecretPiece]


def _alternatives(remaining: Iterable[Remaining], found: list[tuple[SecretPiece, ...]]) -> str:
    """An expression for any of the pieces. Those with the same beginning share it, so few are tried at each position.

    The number of the group that matches says which pieces: they are added to `found` in that order.
    """
    branches: dict[str, list[Remaining]] = {}
    for patterns, piece in remaining:
        branches.setdefault(patterns[0], []).append((patterns[1:], piece))
    return "|".join(f"{pattern}{_rest(rest, found)}" for pattern, rest in branches.items())


def _rest(remaining: list[Remaining], found: list[tuple[SecretPiece, ...]]) -> str:
    shortest = min((patterns for patterns, _ in remaining), key=len)
    if not shortest or len(remaining) == 1:
        found.append(tuple(piece for _, piece in remaining))
        return f"{''.join(shortest)}()"
    return f"(?:{_alternatives(remaining, found)})"
