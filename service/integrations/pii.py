"""Masks phone numbers and e-mail addresses that buyers wrote into texts."""

import re
from functools import cache
from typing import Final

PHONE: Final = "[phone]"
EMAIL: Final = "[e-mail]"

# At most three separators between two groups of digits: " (", ") ", " - ".
_SEPARATOR: Final = r"[\s().\-\u2010-\u2015\u2212]"
_GAP: Final = f"{_SEPARATOR}{{1,3}}"
_OPTIONAL_GAP: Final = f"{_SEPARATOR}{{0,3}}"
# Not within a longer number (a barcode, a posting), and not beside Latin letters (an article).
_NOT_AFTER_WORD: Final = r"(?<![0-9A-Za-z_])"
_NOT_BEFORE_WORD: Final = r"(?![0-9A-Za-z_]|-[0-9]{3})"


def _grouped(*lengths: int, gap: str = _GAP) -> str:
    return gap.join(f"[0-9]{{{length}}}" for length in lengths)


# Ten digits in the groups that people write. A looser rule would match a row of sizes (8 46 48 50 52 54).
_RARE_GROUPINGS: Final = (
    (3, 4, 3),
    (3, 2, 2, 3),
    (3, 2, 3, 2),
    (3, 1, 3, 3),
    (4, 6),
    (4, 3, 3),
    (4, 2, 2, 2),
    (5, 5),
    (5, 1, 2, 2),
)
_TEN_DIGITS: Final = "|".join(
    [_grouped(3, 3, 2, 2, gap=_OPTIONAL_GAP), *(_grouped(*lengths) for lengths in _RARE_GROUPINGS)]
)
_PHONE_PATTERNS: Final = (
    rf"\+\s?7(?:{_OPTIONAL_GAP}[0-9]){{10}}(?![0-9])",
    rf"(?<![\w+])\+[1-9](?:{_SEPARATOR}{{0,2}}[0-9]){{9,14}}(?![0-9])",
    rf"{_NOT_AFTER_WORD}8{_OPTIONAL_GAP}(?=[3489])(?:{_TEN_DIGITS}){_NOT_BEFORE_WORD}",
    rf"{_NOT_AFTER_WORD}7{_OPTIONAL_GAP}(?=9)(?:{_TEN_DIGITS}){_NOT_BEFORE_WORD}",
    rf"(?<![\w-])9{_grouped(2)}-{_grouped(3)}-{_grouped(2)}-{_grouped(2)}{_NOT_BEFORE_WORD}",
    rf"\(9{_grouped(2)}\){_OPTIONAL_GAP}(?:{_grouped(7)}|{_grouped(3, 4)}|{_grouped(3, 2, 2)}){_NOT_BEFORE_WORD}",
)
_EMAIL_PATTERN: Final = r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:xn--[0-9a-z-]{1,59}|[^\W\d_]{2,24})"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of a phone number and an e-mail address. Compiled on first use, since that takes 0.1 s."""
    return re.compile("|".join(_PHONE_PATTERNS)), re.compile(_EMAIL_PATTERN, re.IGNORECASE)


def mask_pii(text: str) -> str:
    """Mask phone numbers and e-mail addresses. Prices, dates, sizes, articles and barcodes stay as they are."""
    phone, email = _patterns()
    return phone.sub(PHONE, email.sub(EMAIL, text))
