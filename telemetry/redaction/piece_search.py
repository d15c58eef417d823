"""Searches a text for the pieces of known secrets, all at once: one expression, in which those with the same beginning share it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final, TypeAlias

from telemetry.redaction.encodings import first_characters, is_plain
from telemetry.redaction.known_secret import SecretPiece
from telemetry.redaction.matching import Found

Remaining: TypeAlias = tuple[tuple[str, ...], SecretPiece]
"""The patterns of the tokens of a piece that are still to be matched, and the piece."""
_NOTHING: Final = "(?!)"


class PieceSearch:
    """The expression is made when the first text is searched."""

    def __init__(self, searched: Sequence[Remaining]) -> None:
        self._searched = searched
        self._pieces: list[tuple[SecretPiece, ...]] = []

    @cached_property
    def _any_piece(self) -> re.Pattern[str]:
        self._pieces = []
        expression = _alternatives(self._searched, self._pieces) or _NOTHING
        first_tokens = [piece.form.tokens[piece.first] for _, piece in self._searched]
        if all(map(is_plain, first_tokens)):
            return re.compile(expression)
        # The engine looks for one of few characters very fast, but does not see by itself with which ones an escape begins.
        characters = "".join(sorted(set().union(*map(first_characters, first_tokens))))
        return re.compile(rf"[{re.escape(characters)}](?<=(?=(?:{expression}))[\s\S])")

    def find(self, text: str) -> Iterator[Found]:
        """Each known secret in the text, and each place that only begins like one."""
        match = self._any_piece.search(text)
        while match:
            pieces = self._pieces[(match.lastindex or 1) - 1]
            _, start, end, name = max(piece.extent(text, match.start()) for piece in pieces)
            yield start, end, f"[hidden {name}]" if name else None
            match = self._any_piece.search(text, end if name else match.start() + 1)


def _alternatives(remaining: Iterable[Remaining], found: list[tuple[SecretPiece, ...]]) -> str:
    """The number of the group that matches says which pieces: they are added to `found` in that order."""
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
