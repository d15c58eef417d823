"""One form of a known secret: the pieces by which it is recognized, and how far it goes on around a piece that was found."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from telemetry.redaction.base64_forms import base64_forms
from telemetry.redaction.encodings import is_base64_digit, is_plain, pattern_of, tokens

_PIECE: Final = 12
"""Characters at either end by which a long secret is recognized, also when all the rest is cut off."""
_LONG: Final = 24
_MIN_LENGTH_FOR_PIECES: Final = 14
_MIN_SEARCHED: Final = 6  # characters of a piece that are searched at least
_MAX_SEARCHED: Final = 8
_LONGEST_TOKEN: Final = 64  # characters of one that is encoded
_REST: Final = re.compile(r"[A-Za-z0-9_\-.~%+/=\\]*+")
_MIXED: Final = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])|(?=.*[a-z])(?=.*[A-Z])", re.DOTALL)
_ESCAPE_BEFORE: Final = re.compile(r"(?:\\[nrtbfv]|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2})\Z")
_LONGEST_ESCAPE: Final = 6
Extent = tuple[int, int, int, str]
"""How many characters tell that it is this secret; start, end and name of what is hidden. No name if it is none."""


@dataclass(eq=False, slots=True)
class SecretForm:
    """The secret as it is, its characters in any escape, or the part of a base64 that depends on it alone.

    Attributes:
        margin: tokens at either end that change if the secret is cut by one there.
    """

    name: str
    tokens: tuple[str, ...]
    margin: int = 1
    _rests: dict[int, re.Pattern[str]] = field(default_factory=dict)
    _unescaped: str = field(init=False)

    def __post_init__(self) -> None:
        self._unescaped = "" if any(map(is_base64_digit, self.tokens)) else "".join(self.tokens)

    @property
    def is_base64(self) -> bool:
        return self.margin > 1

    @property
    def is_long(self) -> bool:
        return len(self.tokens) >= _LONG

    def pieces(self) -> list["SecretPiece"]:
        number, margin = len(self.tokens), self.margin
        if self.is_long or (number >= _MIN_LENGTH_FOR_PIECES and _MIXED.match("".join(self.tokens))):
            length = _PIECE - 1
            return [
                SecretPiece(self, margin, margin + length, length),
                SecretPiece(self, number - margin - length, number - margin, length),
            ]
        if number <= 2 * margin + 1:
            return [SecretPiece(self, 0, number, number)]
        return [SecretPiece(self, margin, number - margin, number - 2 * margin)]

    def forward(self, text: str, token: int, at: int) -> tuple[int, int]:
        """The first token that does not go on at this place of the text, and the place."""
        if len(self._unescaped) == len(self.tokens) and text.startswith(self._unescaped[token:], at):
            return len(self.tokens), at + len(self.tokens) - token
        first, start = token, at
        while token < len(self.tokens):
            word = self.tokens[token]
            if is_plain(word):
                if not text.startswith(word, at):
                    break
                at += 1
            elif match := _compiled(word).match(text, at):
                at = match.end()
            else:
                break
            token += 1
        whole = self._rest_from(first).match(text, start) if token < len(self.tokens) else None
        return (len(self.tokens), whole.end()) if whole else (token, at)

    def _rest_from(self, token: int) -> re.Pattern[str]:
        """All tokens from this one on. It also reads `&amp;` as five characters of the secret, if one alone does not fit."""
        if token not in self._rests:
            self._rests[token] = re.compile("".join(map(pattern_of, self.tokens[token:])))
        return self._rests[token]

    def backward(self, text: str, token: int, at: int) -> tuple[int, int]:
        """As `forward`, from before a token to the left. What is there as it is counts before its encodings: both may fit."""
        if self._unescaped and text.endswith(unescaped := "".join(self.tokens[:token]), 0, at):
            return 0, at - len(unescaped)
        while token > 0 and (length := self._length_before(text, token, at)):
            token, at = token - 1, at - length
        return token, at

    def _length_before(self, text: str, token: int, at: int) -> int:
        """How many characters the token before this one takes at the end of the text before a place; 0 if it is not there."""
        word, before = self.tokens[token - 1], self.tokens[max(0, token - 2)]
        if is_plain(word):
            return int(text.endswith(word, 0, at))
        if self._unescaped and text.endswith(before + word if token > 1 else word, 0, at):
            return len(word)
        match = _at_end(word, before).search(text[max(0, at - _LONGEST_TOKEN) : at])
        return len(match[0]) if match else 0


@dataclass(eq=False, slots=True)
class SecretPiece:
    """The tokens of a form from `first` to before `last`, of which `needed` tell that it is this secret."""

    form: SecretForm
    first: int
    last: int
    needed: int

    def possible_starts(self) -> str:
        """The letters and digits with which the search for it may begin: these are searched fast."""
        return "".join(self.form.tokens[at] for at in self._starts())

    def _starts(self) -> Iterator[int]:
        places = range(self.first, max(self.last - _MIN_SEARCHED, self.first) + 1)
        return (at for at in places if is_plain(self.form.tokens[at]))

    def patterns(self, starts: str) -> tuple[str, ...]:
        """What is searched for: it begins with one of these characters if it can."""
        self.first = min(self._starts(), key=lambda at: starts.find(self.form.tokens[at]) % _LAST, default=self.first)
        part = self.form.tokens[self.first : min(self.last, self.first + _MAX_SEARCHED)]
        return tuple(pattern_of(token, is_first=at == 0) for at, token in enumerate(part))

    def extent(self, text: str, start: int) -> Extent:
        """How far the secret goes on in the text around this piece, which begins at `start`.

        Of a long one that was cut off, what follows is hidden with it. Around letters of a short one that was cut off there is
        no letter or digit: else it is another word.
        """
        first, begin = self.form.backward(text, self.first, start)
        last, end = self.form.forward(text, self.first, start)
        if last - first < self.needed:
            return 0, start, start, ""
        is_cut = last < len(self.form.tokens)
        if self.form.is_long or self.form.is_base64:
            rest = _REST.match(text, end) if is_cut and not self.form.is_base64 else None
            return end - begin, begin, rest.end() if rest else end, self.form.name
        is_word = (first > 0 and _is_word_before(text, begin)) or (is_cut and text[end : end + 1].isalnum())
        if is_word and not _MIXED.match(text[begin:end]):
            return 0, start, start, ""
        return end - begin, begin, end, self.form.name


def forms_of(name: str, value: str) -> list[SecretForm]:
    """The forms in which a secret is searched."""
    in_base64 = sorted(base64_forms(value))
    return [
        SecretForm(name, tokens(value)),
        *(SecretForm(name, tuple(_URL_SAFE.get(each, each) for each in form), 2) for form in in_base64),
    ]


_LAST: Final = 1000  # behind all characters that there are
_BACKSLASH: Final = "\\"
_URL_SAFE: Final = {"+": "+-", "/": "/_"}


def _is_word_before(text: str, at: int) -> bool:
    return text[at - 1 : at].isalnum() and not _ESCAPE_BEFORE.search(text[max(0, at - _LONGEST_ESCAPE) : at])


@lru_cache(maxsize=1024)
def _compiled(token: str) -> re.Pattern[str]:
    return re.compile(pattern_of(token))


@lru_cache(maxsize=1024)
def _at_end(token: str, before: str) -> re.Pattern[str]:
    """The token at the end of a text, without the backslashes that are those of the token before it."""
    return re.compile(rf"(?:{pattern_of(token, is_first=before.startswith(_BACKSLASH))})\Z")
