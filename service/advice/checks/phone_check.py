"""Telephone numbers of Russia and of other countries: in digits with any separators, and in words."""

# ruff: noqa: RUF001  # the texts are in Russian

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from service.advice.checks.readable_text import ReadableText

_MAX_GAP: Final = 4
_BREAKS: Final = frozenset("%₽$€°×=:;")
_ELEVEN: Final = re.compile(r"[78][3489]\d{9}$")
_FOREIGN: Final = re.compile(r"(?:375|380|374|994|995|996|998|992|993|373|371|370|372)\d{8,9}$")
_TEN_IN_GROUPS: Final = frozenset(
    {(10,), (3, 7), (3, 3, 4), (3, 3, 2, 2), (3, 2, 2, 3), (3, 4, 3), (3, 2, 3, 2), (1,) * 10}
)
_MIN_DIGITS: Final = 10
_MAX_DIGITS: Final = 12
_MIN_SIZES: Final = 3
_LOOKALIKE_DIGITS: Final = str.maketrans("oоlзiб", "001316")
_NEAR_DIGIT: Final = re.compile(r"(?<=\d)[oоlзiб]{1,4}(?=\d|\W|$)|(?<!\w)[oоlзiб]{1,2}(?=\d)")
_ARTICLE: Final = re.compile(
    r"(?:артикул\w{0,3}|арт|sku|код\w{0,2}(?: товара)?|штрих\w{0,6}|модел\w{1,3}|парти\w|сери\w)\W{0,4}$"
)
_PLUS: Final = re.compile(r"(?<![\w+])(?:\+|00|плюс)\s?[1-9](?:[\s().\-–—/_*]{0,3}\d){8,14}(?!\d)")
_AFTER_WORD: Final = re.compile(
    r"(?<!\w)(?:тел|телефон\w{0,3}|зв[ао]ни\w{0,4}|позвони\w{0,4}|наб[еи]р\w{0,5}|whatsapp|в[оа]тсап\w{0,2}|viber|вайбер\w?|смс|sms|call|phone|tel)"
    r"\W{1,6}(?:(?:по|на|нам|номеру|номер|us|at|on|number)\W{1,3}){0,3}\+?\d(?:[\s().\-–—/_*]{0,3}\d){5}"
)
_NORTH_AMERICAN: Final = re.compile(r"(?<![\d-])\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[.-]\d{4}(?![\d-])")
_UNITS: Final = "ноль|нуль|нол|один|одна|раз|два|две|три|четыре|пять|шесть|семь|восемь|девять|zero|oh|one|two|three|four|five|six|seven|eight|nine"
_TEENS: Final = r"десять|\w{2,8}надцать|ten|eleven|twelve|\w{3,5}teen"
_TENS: Final = "двадцать|тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_HUNDREDS: Final = "сто|двести|триста|четыреста|пятьсот|шестьсот|семьсот|восемьсот|девятьсот"
_NUMBER_WORD: Final = re.compile(rf"(?:({_UNITS})|({_TEENS})|({_TENS})|({_HUNDREDS})|(\d+))$")
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+")
_MIN_SPOKEN: Final = ((7, 3), (10, 2))
"""Digits, and how many words at least say them."""


def has_phone(draft: ReadableText) -> bool:
    text = _NEAR_DIGIT.sub(lambda found: found[0].translate(_LOOKALIKE_DIGITS), draft.lower)
    if any(pattern.search(text) for pattern in (_PLUS, _AFTER_WORD, _NORTH_AMERICAN)):
        return True
    return any(map(_has_number, _runs(text))) or _is_spoken(text)


def _runs(text: str) -> Iterator[list[str]]:
    """Groups of digits that stand together. A group after the word `article` is none."""
    run: list[str] = []
    end = 0
    for found in re.finditer(r"\d+", text):
        gap = text[end : found.start()]
        if len(gap) > _MAX_GAP or _BREAKS.intersection(gap) or any(map(str.isalpha, gap)):
            yield run
            run = []
        is_article = not run and _ARTICLE.search(text, max(0, found.start() - 24), found.start())
        run, end = [] if is_article else [*run, found[0]], found.end()
    yield run


def _has_number(run: Sequence[str]) -> bool:
    """Whether some of the groups, one after the other, are a number; groups that grow are sizes."""
    for begin in range(len(run)):
        length, end = 0, begin
        while end < len(run) and length < _MAX_DIGITS:
            length, end = length + len(run[end]), end + 1
            if _MIN_DIGITS <= length <= _MAX_DIGITS and _is_number(run[begin:end]):
                return True
    return False


def _is_number(groups: Sequence[str]) -> bool:
    digits = "".join(groups)
    if _ELEVEN.match(digits) or _FOREIGN.match(digits):
        return not _are_sizes(groups)
    return digits[0] == "9" and tuple(map(len, groups)) in _TEN_IN_GROUPS


def _are_sizes(groups: Sequence[str]) -> bool:
    return len(groups) >= _MIN_SIZES and all(int(a) < int(b) and len(a) > 1 for a, b in pairwise(groups))


def _is_spoken(text: str) -> bool:
    """Many digits, said in words of numbers that follow each other; some may be written."""
    digits = words = place = end = 0
    for found in _TOKEN.finditer(text):
        number = _NUMBER_WORD.match(found[0])
        if number is None or found.start() - end > _MAX_GAP or number.lastindex is None:
            digits = words = place = 0
        if number is not None and number.lastindex is not None:
            said, place = _spoken_digits(number[0], number.lastindex, place)
            digits, words = digits + said, words + (number.lastindex < 5)  # noqa: PLR2004  # digits are no words
        if any(digits >= least and words >= said_in for least, said_in in _MIN_SPOKEN):
            return True
        end = found.end()
    return False


def _spoken_digits(word: str, kind: int, place: int) -> tuple[int, int]:
    """How many digits a word adds, and the places that the next word may fill: `сто двадцать три` has three digits."""
    units, teens, tens, hundreds = 1, 2, 3, 4
    if kind == hundreds:
        return 3, 2
    if kind == tens:
        return (0 if place == 2 else 2), 1  # noqa: PLR2004  # after hundreds
    if kind == teens:
        return (0 if place == 2 else 2), 0  # noqa: PLR2004  # after hundreds
    if kind == units:
        return (0 if place else 1), 0
    return len(word), 0
