"""Personal data: a phone number or an e-mail address that a buyer wrote into a text is masked before it goes any further."""

import re
from functools import cache
from typing import Final

PHONE: Final = "[phone]"
EMAIL: Final = "[e-mail]"

# Between two groups of digits, at the most: " (", ") ", " - ".
_SIGN: Final = r"[\s().\-\u2010-\u2015\u2212]"
_GAP: Final = f"{_SIGN}{{1,3}}"
_MAYBE: Final = f"{_SIGN}{{0,3}}"
# Neither within a longer number (a barcode, a posting), nor beside Latin letters (an article).
_BEFORE: Final = r"(?<![0-9A-Za-z_])"
_AFTER: Final = r"(?![0-9A-Za-z_]|-[0-9]{3})"


def _grouped(*lengths: int, gap: str = _GAP) -> str:
    return gap.join(f"[0-9]{{{length}}}" for length in lengths)


# Ten digits as people group them: by anything less, a row of sizes (8 46 48 50 52 54) would be a number.
_RARE: Final = (
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
_TEN: Final = "|".join([_grouped(3, 3, 2, 2, gap=_MAYBE), *(_grouped(*lengths) for lengths in _RARE)])
_PHONES: Final = (
    rf"\+\s?7(?:{_MAYBE}[0-9]){{10}}(?![0-9])",
    rf"(?<![\w+])\+[1-9](?:{_SIGN}{{0,2}}[0-9]){{9,14}}(?![0-9])",
    rf"{_BEFORE}8{_MAYBE}(?=[3489])(?:{_TEN}){_AFTER}",
    rf"{_BEFORE}7{_MAYBE}(?=9)(?:{_TEN}){_AFTER}",
    rf"(?<![\w-])9{_grouped(2)}-{_grouped(3)}-{_grouped(2)}-{_grouped(2)}{_AFTER}",
    rf"\(9{_grouped(2)}\){_MAYBE}(?:{_grouped(7)}|{_grouped(3, 4)}|{_grouped(3, 2, 2)}){_AFTER}",
)
_EMAILS: Final = r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}(?:xn--[0-9a-z-]{1,59}|[^\W\d_]{2,24})"


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Of a phone number and of an e-mail address. It takes a tenth of a second to make them, so not at each start."""
    return re.compile("|".join(_PHONES)), re.compile(_EMAILS, re.IGNORECASE)


def mask_pii(text: str) -> str:
    """What only looks like somebody's number (a price, a date, a size, an article, a barcode) stays as it is."""
    phone, email = _patterns()
    return phone.sub(PHONE, email.sub(EMAIL, text))
