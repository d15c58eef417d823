"""The encodings of one character: percent, backslash and HTML escapes, each also inside of another, any number of times."""

import re
from html.entities import codepoint2name
from typing import Final

_PERCENT: Final = "%(?:25){0,5}"  # as often as it may have been encoded
_BACKSLASH: Final = rf"(?:\\|{_PERCENT}5[cC])"
_BACKSLASHES: Final = rf"{_BACKSLASH}{{1,31}}+"  # JSON in JSON doubles them
_MAYBE_BACKSLASHES: Final = rf"{_BACKSLASH}{{0,31}}+"
_NOT_INSIDE: Final = (
    r"(?<!\\)(?<!%5[cC])(?<!%255[cC])(?<!25255[cC])"  # of many backslashes: else each of them would be a beginning
)
_FIRST_AMPERSAND: Final = rf"(?:&(?:amp;){{0,5}}|{_PERCENT}26(?:amp{_PERCENT}3[bB]){{0,5}}|u0026(?:amp;){{0,5}})"
_AMPERSAND: Final = (
    rf"(?:&(?:amp;){{0,5}}|{_PERCENT}26(?:amp{_PERCENT}3[bB]){{0,5}}|{_MAYBE_BACKSLASHES}u0026(?:amp;){{0,5}})"
)
_SEMICOLON: Final = rf"(?:;|{_PERCENT}3[bB])"
_HASH: Final = rf"(?:#|{_PERCENT}23)"
_LETTERS: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v"}
_ENTITIES: Final = {**codepoint2name, 0x27: "apos"}
_BASE64_DIGITS: Final = ("+-", "/_")
"""Digits of base64 that differ in that for URLs: tokens of two characters."""
_IN_QUOTES: Final = {"'": (r"""'"'"'""", r"'\\''", "''"), '"': ('""',)}
"""A quote in a quoted text of a shell, of SQL and of CSV."""
_TOKEN: Final = re.compile(r"\\+|[\s\S]")


def tokens(text: str) -> tuple[str, ...]:
    """The characters of a text; several backslashes are one token, since their number grows with each encoding."""
    return tuple(_TOKEN.findall(text))


def is_plain(token: str) -> bool:
    """Whether it is a letter or digit, which every encoding leaves as it is."""
    return token.isascii() and token.isalnum()


def is_base64_digit(token: str) -> bool:
    """Whether it is one of the two digits that are others in base64 for URLs."""
    return token in _BASE64_DIGITS


def first_characters(token: str) -> set[str]:
    """The characters with which `pattern_of` of a first token may begin."""
    if is_plain(token):
        return {token}
    if is_base64_digit(token):
        return first_characters(token[0]) | {token[1]}
    backslash = {"\\", "\r"} if token in _LETTERS else set()
    return {token[0], _utf8(token).decode("latin-1")[0], *"%&uUx+", *backslash}


def pattern_of(token: str, *, is_first: bool = False) -> str:
    """An expression for a token in all its encodings. As the first of a pattern it takes no backslashes before it."""
    if is_plain(token):
        return token
    if is_base64_digit(token):
        return f"(?:{pattern_of(token[0], is_first=is_first)}|{token[1]})"
    ampersand, beginning = (_FIRST_AMPERSAND, _NOT_INSIDE) if is_first else (_AMPERSAND, "")
    if token.startswith("\\"):
        return rf"(?:{beginning}{_BACKSLASH}{{1,64}}+(?:x5[cC]|u005[cC])?|{ampersand}{_entity(0x5C)})"
    encoded = _other_encodings(token, ampersand)
    forms = (*encoded, re.escape(token), *_hexadecimal(token))  # the longest first
    escaped = f"{'' if is_first else _MAYBE_BACKSLASHES}(?:{'|'.join(forms)})"
    letters = [f"{beginning}{each}" if each.startswith(_BACKSLASH) else each for each in _letters(token)]
    return f"(?:{'|'.join((*letters, escaped))})"


def _hexadecimal(token: str) -> list[str]:
    """`u0027`, `x27`, the parts of a surrogate pair, the bytes of UTF-8: all but the first backslash."""
    number, units = ord(token), token.encode("utf-16-be", "surrogatepass")
    pairs = [_any_case(units[at : at + 2].hex()) for at in range(0, len(units), 2)]
    forms = [f"u{f'{_BACKSLASHES}u'.join(pairs)}", f"U{_any_case(f'{number:08x}')}"]
    if number <= 0xFF:  # noqa: PLR2004
        forms.append(f"x{_any_case(f'{number:02x}')}")
    if number > 0x7F:  # noqa: PLR2004
        forms.append("x" + f"{_BACKSLASHES}x".join(_any_case(f"{each:02x}") for each in _utf8(token)))
    return forms


def _other_encodings(token: str, ampersand: str) -> list[str]:
    number = ord(token)
    forms = [f"{ampersand}{_entity(number)}", "".join(f"{_PERCENT}{_any_case(f'{each:02x}')}" for each in _utf8(token))]
    if token == " ":  # noqa: S105
        forms.append(rf"\+|{_PERCENT}2[bB]")
    forms.extend(_IN_QUOTES.get(token, ()))
    if number > 0x7F:  # noqa: PLR2004  # bytes that were read as Latin-1
        forms.append(re.escape(_utf8(token).decode("latin-1")))
    return forms


def _letters(token: str) -> list[str]:
    r"""The forms of a control character such as `\n`, and a line end of two characters."""
    letter = [f"{_BACKSLASHES}{_LETTERS[token]}"] if token in _LETTERS else []
    return [*letter, rf"\r\n|{_BACKSLASHES}r{_BACKSLASHES}n"] if token == "\n" else letter  # noqa: S105


def _entity(number: int) -> str:
    """Without its ampersand."""
    names = [f"{_HASH}0{{0,5}}{number}", f"{_HASH}[xX]0{{0,5}}{_any_case(f'{number:x}')}"]
    if number in _ENTITIES:
        names.append(_ENTITIES[number])
    return f"(?:{'|'.join(names)}){_SEMICOLON}"


def _any_case(digits: str) -> str:
    return "".join(f"[{each}{each.upper()}]" if each.isalpha() else each for each in digits)


def _utf8(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")
