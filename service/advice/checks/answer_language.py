"""Whether a draft is written in another language than the review, as far as letters tell it.

An answer is in Russian, as the instructions say, or in the script of the review. A language is not guessed from its
words, except that of a review which is certainly Russian.
"""

# the texts are in Russian

from collections import Counter
from collections.abc import Iterable
from typing import Final

from service.advice.checks.readable_text import MAX_CHECKED, ReadableText, script, words_of

_CYRILLIC: Final = "CYRILLIC"
_LATIN: Final = "LATIN"
_MIN_SHARE: Final = 0.3
_MAX_FOREIGN_LETTERS: Final = 0.03
_MAX_FOREIGN_WORDS: Final = 6
"""In a row: more than the name of a product has."""
_MAX_FOREIGN: Final = 6
"""Letters of a script in which neither brands nor the review are written."""
_NOT_RUSSIAN: Final = frozenset("іїєґўәғқңөұүһјљњћђџѓќѕҷӣӯҳѐѝӑӗҫӳ")
_RUSSIAN: Final = frozenset(
    {"и", "что", "это", "очень", "как", "но", "был", "была", "было", "все", "уже", "спасибо", "после", "товар"}
)
_MIN_RUSSIAN_WORDS: Final = 2


def is_in_another_language(draft: ReadableText) -> bool:
    """Words of the product's name and Latin ones that the review has, too, as brands are, do not count against an answer."""
    words = [word for word in words_of(draft.plain) if word not in draft.product_words]
    allowed = {_CYRILLIC, _main_script(draft)}
    own = _scripts(word for word in words if script(word[0]) != _LATIN or word not in draft.review_words)
    fitting = sum(own[each] for each in allowed)
    foreign = own.total() - fitting - (own[_LATIN] if _LATIN not in allowed else 0)
    if foreign > _MAX_FOREIGN or fitting <= _MIN_SHARE * own.total():
        return True
    return _has_foreign_sentence(words, allowed) or (_is_russian(draft) and _is_other_cyrillic(draft.plain))


def _main_script(draft: ReadableText) -> str:
    """The script of most letters of the review; Cyrillic if it has none."""
    found = _scripts(draft.review_words)
    return found.most_common(1)[0][0] if found else _CYRILLIC


def _scripts(words: Iterable[str]) -> Counter[str]:
    return Counter(name for word in words for letter in word if (name := script(letter)))


def _has_foreign_sentence(words: Iterable[str], allowed: set[str]) -> bool:
    in_a_row = 0
    for word in words:
        name = script(word[0])
        in_a_row = 0 if name in allowed else in_a_row + bool(name)
        if in_a_row >= _MAX_FOREIGN_WORDS:
            return True
    return False


def _is_russian(draft: ReadableText) -> bool:
    """A review without a text is answered in Russian, and so is one with words that only Russian has."""
    words = draft.review_words
    if any(_NOT_RUSSIAN.intersection(word) for word in words):
        return False
    return not words or len(_RUSSIAN & words) >= _MIN_RUSSIAN_WORDS


def _is_other_cyrillic(text: str) -> bool:
    lower = text[:MAX_CHECKED].lower()
    foreign = sum(lower.count(letter) for letter in _NOT_RUSSIAN)
    return foreign > _MAX_FOREIGN_LETTERS * sum(map(str.isalpha, lower))
