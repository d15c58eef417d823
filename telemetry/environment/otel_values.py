"""The kinds of values that OpenTelemetry's variables have: what each may be, and how the SDK wants to have it."""

import math
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_MOST: Final = 2**31 - 1
"""A larger queue, or a longer wait in milliseconds, overflows what Python counts with."""
URL: Final = "a URL such as http://127.0.0.1:4318"
_HEADER: Final = re.compile(r"[!#-'*+.0-9A-Z^-z|~-]+[ \t]*=[ -!#-+\x2d-:<-\[\]-~]*")


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What a variable may be.

    Attributes:
        expected: what may be, for the end of a sentence; made when it is needed, since some depends on what is installed.
        normalize: the value as the SDK takes it. Raises ValueError if the variable may not have it.
        is_secret: the value is not shown, whatever it is.
        words: what is harmless in a value, and therefore shown.
        is_path: the value is the path of a file.
    """

    expected: Callable[[], str]
    normalize: Callable[[str], str]
    is_secret: bool = False
    words: Callable[[], frozenset[str]] = frozenset
    is_path: bool = False


@dataclass(frozen=True, slots=True)
class WrongVariable:
    """A variable with a value that it may not have. `words` may be shown of the value, whatever they look like."""

    name: str
    value: str
    expected: str
    is_secret: bool = False
    words: frozenset[str] = frozenset()
    is_path: bool = False


def choice(*values: str) -> ValueKind:
    """One of some words, in capitals or not: the specification asks for that, and the SDK does not always do it."""
    by_lower = {value.lower(): value for value in values}

    def normalize(text: str) -> str:
        if text.lower() not in by_lower:
            raise ValueError
        return by_lower[text.lower()]

    return ValueKind(lambda: f"one of {', '.join(values)}", normalize, words=lambda: frozenset(values))


def choices(*values: str, exact: bool = False) -> ValueKind:
    """Some of some words, with commas between them."""
    one = choice(*values)

    def normalize(text: str) -> str:
        words = [word.strip() for word in text.split(",")]
        if exact and not set(words) <= set(values):
            raise ValueError
        return ",".join(map(one.normalize, words))

    return ValueKind(lambda: f"one or more of {', '.join(values)}", normalize, words=lambda: frozenset(values))


def boolean() -> ValueKind:
    return choice("true", "false")


def whole(least: int, most: int = _MOST) -> ValueKind:
    def normalize(text: str) -> str:
        if not (text.isascii() and text.isdecimal() and least <= int(text[:20]) <= most):
            raise ValueError
        return text

    upper = "" if most == _MOST else f" to {most}"
    return ValueKind(lambda: f"a whole number from {least}{upper}", normalize)


def number(of: str, *, zero: bool = False) -> ValueKind:
    """A number of seconds or milliseconds."""

    def normalize(text: str) -> str:
        value = float(text)
        if not text.isascii() or "_" in text:  # Python takes more than other programs do
            raise ValueError
        if not (math.isfinite(value) and 0 <= value <= _MOST and (zero or value)):
            raise ValueError
        return text

    return ValueKind(lambda: f"a number of {of} {'from' if zero else 'above'} 0, without a unit", normalize)


def endpoint() -> ValueKind:
    """A URL, or for gRPC only a host with its port."""

    def normalize(text: str) -> str:
        parts = urlsplit(text if "//" in text else f"//{text}")
        if parts.port == 0 or not parts.hostname or any(letter.isspace() for letter in text):
            raise ValueError
        return text

    return ValueKind(lambda: URL, normalize)


def headers() -> ValueKind:
    def normalize(text: str) -> str:
        pairs = [pair.strip(" \t") for pair in text.split(",")]
        if not all(_is_header(pair) for pair in pairs if pair):
            raise ValueError
        return text

    expected = "name=value, with commas between several, and values URL-encoded"
    return ValueKind(lambda: expected, normalize, is_secret=True)


def _is_header(pair: str) -> bool:
    """Whether the exporters take it, and can send it: neither HTTP nor gRPC has control characters in a header."""
    value = unquote(pair.partition("=")[2])
    return _HEADER.fullmatch(pair) is not None and value.isascii() and (value.isprintable() or not value)


def attributes() -> ValueKind:
    def normalize(text: str) -> str:
        pairs = [pair.strip() for pair in text.split(",") if pair.strip()]
        if not all("=" in pair and pair.partition("=")[0].strip() for pair in pairs):
            raise ValueError
        return ",".join(pairs)

    return ValueKind(lambda: "name=value, with commas between several", normalize)


def certificates() -> ValueKind:
    def normalize(text: str) -> str:
        if not Path(text).is_dir():  # the HTTP exporters take a directory of authorities
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=text)
        return text

    return ValueKind(lambda: "the path of a file with certificates in PEM", normalize, is_path=True)


def private_key() -> ValueKind:
    def normalize(text: str) -> str:
        if b"PRIVATE KEY-----" not in Path(text).read_bytes():
            raise ValueError
        return text

    return ValueKind(lambda: "the path of a file with a private key in PEM", normalize, is_path=True)


def patterns() -> ValueKind:
    def normalize(text: str) -> str:
        try:
            for pattern in text.split(","):
                re.compile(pattern.strip())
        except (re.error, RuntimeError):  # not a ValueError; too deep
            raise ValueError from None
        return text

    return ValueKind(lambda: "regular expressions, with commas between them", normalize)


def tokens() -> ValueKind:
    def normalize(text: str) -> str:
        if not all(
            re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", word.strip()) for word in text.split(",") if word.strip()
        ):
            raise ValueError
        return text

    return ValueKind(lambda: "names of HTTP methods, with commas between them", normalize)


def unsupported(instead: str) -> ValueKind:
    """What this telemetry does not read: it would be ignored."""

    def normalize(_text: str) -> str:
        raise ValueError

    return ValueKind(lambda: f"unset: {instead}", normalize, is_path=True)
