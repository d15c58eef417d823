"""Finds values after the name of a secret: `password=…`, `"api_key": "…"`, `Authorization: Bearer …`.

One expression for each name: the names are literals, which `re` finds fast. They are searched in the lower-case text.
"""

import heapq
import re
from collections.abc import Iterator
from typing import Final

from telemetry.redaction.matching import MIN_LENGTH_FOR_SUFFIX, Found, Match, placeholder

_KEY: Final = r"[_\-]?key"
_NAMES: Final = {
    "pass": r"pass(?:word|wd|phrase)",
    "pwd": "pwd",
    "secret": rf"secret(?:{_KEY})?",
    "token": "token",
    "api": f"api{_KEY}",
    "access": f"access{_KEY}",
    "private": f"private{_KEY}",
    "encryption": f"encryption{_KEY}",
    "authorization": "authorization",
    "credential": "credentials?",
    "cookie": "cookie",
    "signature": "signature",
    "session": r"session[_\-]?id",
}
_PREFIXES: Final = frozenset(("proxy_", "proxy-", "set_", "set-"))
_PREFIX_LENGTHS: Final = {"authorization": 6, "cookie": 4}
_QUOTED: Final = r"""[bru]?(?:"(?P<double>[^"\\\n]*+(?:\\.[^"\\\n]*+)*+)(?:"|\\?$)|'(?P<single>[^'\\\n]*+(?:\\.[^'\\\n]*+)*+)(?:'|\\?$))"""
_ESCAPED: Final = r"""\\["'](?P<escaped>[^"'\\\n]*+)(?:\\["']|$)"""  # JSON in JSON
_BARE: Final = r"(?:(?P<scheme>bearer|basic|digest|token)\s++)?(?P<bare>[^\s,;&\"'()<>{}\[\]\\]++)"
_VALUE: Final = (
    r"""(?=[\\"'\s=:,])(?P<close>\\?["'])?(?P<between>\s{0,3}[=:]\s{0,3}|\s{0,3},\s{0,3}(?=[bru]?["']))"""
    rf"(?:{_QUOTED}|{_ESCAPED}|{_BARE})"
)
_PAIRS: Final = tuple((word, re.compile(f"(?P<name>{name}){_VALUE}")) for word, name in _NAMES.items())
_EMPTY_VALUES: Final = frozenset(
    ("none", "null", "true", "false", "undefined", "nil", "***", "%s", "%r", "...", "…", "")
)
_NAMED_SECRET: Final = re.compile(rf"(?<![a-z])(?:{'|'.join(_NAMES.values())})\Z")
_CAMEL_CASE_SECRETS: Final = ("password", "secret", "token", "apikey", "accesskey", "privatekey")
_PASSWORDS: Final = ("pass", "pwd")
_LONGEST_NAME: Final = 20  # characters
_SCHEME_PARAMETERS: Final = frozenset(
    ("auth", "authentication", "authorization", "credentials", "realm", "token", "scheme")
)
_MIN_TOKEN_LENGTH: Final = 8
_MIN_VALUE_LENGTH: Final = 4  # `A token: 3 a second` has no secret
_WORDS: Final = re.compile(r"[^\W\d_]++(?:[_\-.][^\W\d_]++)*+[.:!]?")
_SOURCE_FILE: Final = re.compile(r'\s{0,200}+(?:\|\s{0,200}+){0,20}+File "')
_MAX_SOURCE_INDENT: Final = 200  # characters between the beginning of a line of source code and the pair
_MAX_SOURCE_FILE_LINE: Final = 4000  # characters of the line above it, `File "…", line 3, in f`

TRIGGERS: Final = tuple(_NAMES)


def find_named_values(text: str, lower: str) -> Iterator[Found]:
    """The values after names of secrets, in the order of the text."""
    present = [_find(pattern, text, lower) for word, pattern in _PAIRS if word in lower]
    return present[0] if len(present) == 1 else heapq.merge(*present, key=_start)


def _start(found: Found) -> int:
    return found[0]


def _find(pattern: re.Pattern[str], text: str, lower: str) -> Iterator[Found]:
    for match in pattern.finditer(lower):
        kind = match.lastgroup or "bare"
        start, end = match.span(kind)
        value, name = text[start:end], match["name"]
        if _is_empty(value) or (kind == "bare" and _is_prose(match, value, text)):
            yield start, end, None
        else:
            before = lower[max(0, match.start() - _LONGEST_NAME) : match.start()]
            yield start, end, placeholder(_kind(name, before), "" if name.startswith(_PASSWORDS) else value)


def _kind(name: str, before: str) -> str:
    prefix = before[-_PREFIX_LENGTHS[name] :] if name in _PREFIX_LENGTHS else ""
    return f"{prefix if prefix in _PREFIXES else ''}{name}".replace("_", " ").replace("-", " ")


def _is_empty(value: str) -> bool:
    return value.lower() in _EMPTY_VALUES or value.startswith(("[hidden", "hidden ", "***", "%(", "${", "…"))


def _is_prose(match: Match, value: str, text: str) -> bool:
    """Whether the pair has no value, as in `Invalid token: expired` or in a line of source code in a traceback."""
    if match["scheme"]:
        return value.lower() in _SCHEME_PARAMETERS or (
            len(value) < _MIN_TOKEN_LENGTH and value.isalpha() and value.islower()
        )
    if _is_source_line(text, match.start()):
        return True
    if match["between"] == "=":
        return False
    return (len(value) < _MIN_VALUE_LENGTH and not match["name"].startswith(_PASSWORDS)) or (
        len(value) < 2 * MIN_LENGTH_FOR_SUFFIX and bool(_WORDS.fullmatch(value))
    )


def _is_source_line(text: str, start: int) -> bool:
    line_end = text.rfind("\n", max(0, start - _MAX_SOURCE_INDENT), start)
    if line_end < 0 or not text.startswith("    ", line_end + 1, start):
        return False
    line_start = text.rfind("\n", max(0, line_end - _MAX_SOURCE_FILE_LINE), line_end) + 1
    return bool(_SOURCE_FILE.match(text, line_start, line_end))


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret: true for `http.request.header.authorization`, `apiKey`, not `input_tokens`."""
    lower = name.lower()
    return lower.endswith(_CAMEL_CASE_SECRETS) or bool(_NAMED_SECRET.search(lower[-_LONGEST_NAME:]))
