"""A draft as a person reads it: one form of each letter and digit, without disguises.

All checks of a draft see at most `MAX_CHECKED` characters of it. A longer draft fails the check of its length anyway.
"""

# ruff: noqa: RUF001  # pairs of letters that look alike

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from service.advice.prompt import ReviewForPrompt

MAX_CHECKED: Final = 5000
"""Characters: the longest answer that any marketplace takes."""
_MAX_GAP: Final = 4
_WORD: Final = re.compile(r"[^\W_]+")
_SENTENCE_END: Final = re.compile(r"[.!?;…\n]+")
_CURRENCY: Final = re.compile(r"[₽$€£₸₴₾]|(?<=\d{3})\s?р(?![^\W_])\.?")
_SPACED_LETTERS: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[ ._*-]{1,3}[^\W\d_]){3,}(?![^\W_])")
_GAP: Final = re.compile(r"[ ._*-]+")
_SPACES: Final = re.compile(r"[^\S\n]{2,}")
_LATIN: Final = "aceopxykmtbhnruig"
_CYRILLIC: Final = "асеорхукмтвнпгиід"
_DISGUISED: Final = re.compile(r"(?<=[а-я])[0346z](?=[а-я])")
_TO_LETTER: Final = str.maketrans("0346z", "озчбз")
_TO_CYRILLIC: Final = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN: Final = str.maketrans("асеорхукмтвнії", "aceopxykmtbhii")
_LATIN_LOOKALIKES: Final = frozenset(_LATIN)
_CYRILLIC_LOOKALIKES: Final = frozenset("асеорхукмтвнії")


def script(letter: str) -> str:
    """The script of a letter, such as `CYRILLIC` or `LATIN`; "" for what is no letter."""
    if not letter.isalpha():
        return ""
    if letter.isascii():
        return "LATIN"
    return "CYRILLIC" if "\u0400" <= letter <= "\u052f" else unicodedata.name(letter, "").partition(" ")[0]


@dataclass(frozen=True)
class ReadableText:
    """A draft with the review that it answers.

    Attributes:
        text: the draft.
        subject: the review.
        instructions: what the model was told.
        max_length: characters that the draft may have.
    """

    text: str
    subject: ReviewForPrompt
    instructions: str
    max_length: int

    @cached_property
    def raw(self) -> str:
        return self.text[:MAX_CHECKED]

    @cached_property
    def plain(self) -> str:
        """Compatibility forms resolved, digits of all scripts as 0-9, without characters that nobody sees."""
        composed = unicodedata.normalize("NFKC", self.raw)[:MAX_CHECKED]
        return _SPACES.sub(_shorten, "".join(map(_visible, composed)))

    @cached_property
    def lower(self) -> str:
        """In small letters, each word in one script, words that are spaced out put together."""
        together = _SPACED_LETTERS.sub(_join, self.plain.lower().replace("ё", "е"))
        return _DISGUISED.sub(lambda found: found[0].translate(_TO_LETTER), _WORD.sub(_unify, together))

    @cached_property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The words of each sentence, in small letters. The sign of a currency is a word, too."""
        text = _CURRENCY.sub(" руб ", self.lower)
        return tuple(tuple(_WORD.findall(sentence)) for sentence in _SENTENCE_END.split(text))

    @cached_property
    def product_words(self) -> frozenset[str]:
        """The words of the product's name. A draft may repeat them, whatever they are."""
        return frozenset(words_of(self.subject.product_name or ""))

    @cached_property
    def review_words(self) -> frozenset[str]:
        review = self.subject
        return frozenset(words_of(f"{review.text} {review.pros} {review.cons}"))


def words_of(text: str) -> list[str]:
    return _WORD.findall(text[:MAX_CHECKED].lower().replace("ё", "е"))


def _visible(character: str) -> str:
    """The character; a digit of another script as an ASCII one; nothing for one that is not seen."""
    if character.isascii():
        return " " if character in "\t\r\v\f" else character
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(character)
    return " " if category == "Zs" else "" if category in {"Cf", "Mn", "Me"} else character


def _shorten(spaces: re.Match[str]) -> str:
    """Many spaces count as few: no check looks further than that."""
    return " " * min(len(spaces[0]), _MAX_GAP)


def _join(spaced: re.Match[str]) -> str:
    """The letters without what is between them, except a dot with spaces."""
    return _GAP.sub(lambda gap: "." if "." in gap[0] and " " in gap[0] else "", spaced[0])


def _unify(match: re.Match[str]) -> str:
    """A word of two scripts in that one of which the letters of the other one are only an imitation."""
    word = match[0]
    if word.isascii():
        return word
    latin, cyrillic = {c for c in word if "a" <= c <= "z"}, {c for c in word if "а" <= c <= "ї"}
    if not latin or not cyrillic:
        return word
    if latin <= _LATIN_LOOKALIKES and not cyrillic <= _CYRILLIC_LOOKALIKES:
        return word.translate(_TO_CYRILLIC)
    return word.translate(_TO_LATIN) if cyrillic <= _CYRILLIC_LOOKALIKES else word
