"""How a pattern is applied to a text: in time linear in its length, with a bounded number of replacements.

Foreign texts are made to be slow. A pattern therefore never starts at every position of what an earlier attempt has read,
and candidates that need Python code are limited: of a text that has more, the rest is left out, as if it were a secret.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

Found: TypeAlias = tuple[int, int, str | None]
"""Start and end of a candidate, and what replaces it: None if it is no secret."""
Finder: TypeAlias = Callable[[str, str], Iterable[Found]]
"""Finds the candidates in a text from left to right. Its second argument is the text in lower case, of the same length."""
Match: TypeAlias = re.Match[str]
_SUFFIX_LENGTH: Final = 4  # characters at the end of a secret that stay, to tell two secrets apart
MIN_LENGTH_FOR_SUFFIX: Final = 16  # characters
FREE_CANDIDATES: Final = 24


def placeholder(kind: str, value: str = "") -> str:
    """What replaces a secret, such as `[hidden JWT …a1b2]`: its kind, and the end of a long one."""
    suffix = (
        f" …{value[-_SUFFIX_LENGTH:]}"
        if len(value) >= MIN_LENGTH_FOR_SUFFIX and value[-_SUFFIX_LENGTH:].isalnum()
        else ""
    )
    return f"[hidden {kind}{suffix}]"


def same_length_lower(text: str) -> str:
    """The text in lower case, with each character at its place. `İ` is the only one whose lower case is two characters."""
    return text.replace("İ", "I").lower()


def substitute(text: str, candidates: Iterable[Found], spacing: int, free: int = FREE_CANDIDATES) -> str:
    """Replace the secrets among the candidates.

    Args:
        text: the text.
        candidates: from left to right. One that overlaps the replaced one before it is ignored.
        spacing: characters for each candidate.
        free: further candidates of any text. If a text has more than these and those, its rest is left out.
    """
    pieces: list[str] = []
    done, left = 0, free + len(text) // spacing
    for start, end, replacement in candidates:
        if left == 0:
            return "".join((*pieces, text[done:start], f"[hidden rest of {len(text) - start:,} characters]"))
        left -= 1
        if replacement is not None and start >= done:
            pieces += (text[done:start], replacement)
            done = end
    return "".join((*pieces, text[done:])) if pieces else text


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """`triggers` are lower-case. A text without any of them is not searched. See `substitute` for `spacing`."""

    triggers: tuple[str, ...]
    find: Finder
    spacing: int = 128

    def redact(self, text: str, lower: str | None = None) -> str:
        return substitute(text, self.find(text, same_length_lower(text) if lower is None else lower), self.spacing)


def matches(pattern: re.Pattern[str], replace: Callable[[Match], str | None]) -> Finder:
    """A finder of the matches of a pattern."""

    def find(text: str, _lower: str) -> Iterator[Found]:
        for match in pattern.finditer(text):
            yield match.start(), match.end(), replace(match)

    return find


def whole(kind: str) -> Callable[[Match], str]:
    """Replaces a whole match by a placeholder of this kind."""
    return lambda match: placeholder(kind, match[0])
