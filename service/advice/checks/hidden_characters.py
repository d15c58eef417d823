"""Characters that nobody sees and that change what is read: direction marks, zero width, tags, stacked accents."""

import unicodedata
from itertools import pairwise
from typing import Final

from service.advice.checks.readable_text import ReadableText

_ZERO_WIDTH_JOINER: Final = "\u200d"
_TEXT_AND_EMOJI_STYLE: Final = "\ufe0e\ufe0f"
_BLACK_FLAG: Final = "\U0001f3f4"
_FLAG_TAGS: Final = "\U000e0020", "\U000e007f"
_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_MAX_ACCENTS: Final = 3


def has_hidden_characters(draft: ReadableText) -> bool:
    """Emoji may have the joiners and the styles that they are made of."""
    text, accents = draft.raw, 0
    for before, character in pairwise(f" {text}"):
        if character.isascii():
            accents = 0
            if character < " " and character not in "\n\r\t":
                return True
            continue
        category = unicodedata.category(character)
        accents = accents + 1 if category in {"Mn", "Me"} else 0
        if accents > _MAX_ACCENTS or _is_hidden(before, character, category):
            return True
    return False


def _is_hidden(before: str, character: str, category: str) -> bool:
    if character == _ZERO_WIDTH_JOINER:
        return not _is_emoji(before)
    if _FLAG_TAGS[0] <= character <= _FLAG_TAGS[1]:
        return before != _BLACK_FLAG and not _FLAG_TAGS[0] <= before <= _FLAG_TAGS[1]
    if unicodedata.name(character, "").startswith("VARIATION SELECTOR"):
        return character not in _TEXT_AND_EMOJI_STYLE or before in _TEXT_AND_EMOJI_STYLE
    return category in _HIDDEN or character in _BLANKS


def _is_emoji(character: str) -> bool:
    return unicodedata.category(character) in {"So", "Sk"} or character in _TEXT_AND_EMOJI_STYLE
