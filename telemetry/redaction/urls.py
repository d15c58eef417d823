"""Finds secrets in URLs: users and passwords before an `@`, and the values of query parameters."""

import re
from collections.abc import Iterator
from typing import Final

from telemetry.redaction.matching import MIN_LENGTH_FOR_SUFFIX, Found, Match, placeholder

_SEPARATOR: Final = re.compile(r"[\"'<>\[\]]")
_MAX_USER_LENGTH: Final = 256
_MAX_PASSWORD_LENGTH: Final = 512
_LONGEST: Final = len("://:") + _MAX_USER_LENGTH + _MAX_PASSWORD_LENGTH
_CREDENTIALS: Final = re.compile(
    rf"://(?P<user>[^/:]{{0,{_MAX_USER_LENGTH}}}+)(?::(?P<password>.{{1,{_MAX_PASSWORD_LENGTH}}}+))?\Z", re.DOTALL
)
_QUERY_NAMES: Final = (
    "k(?:ey)|a(?:uth|ccess)|s(?:ig|id|ession|tate)|c(?:ode)|j(?:wt)|o(?:tp)|p(?:in|ass)|h(?:ash)|t(?:icket)"
)
_VALUE: Final = r"[^\s&#\"'<>\[\]{}]"
_NAMED: Final = re.compile(rf"[?&](?:{_QUERY_NAMES})=(?P<value>{_VALUE}++)")
_LONG: Final = re.compile(rf"[?&][a-z0-9_.~\-]{{1,64}}+=(?P<value>{_VALUE}{{20,}}+)")
_OPAQUE: Final = re.compile(r"(?=[^0-9]*+[0-9])(?=[^A-Za-z]*+[A-Za-z])[A-Za-z0-9_\-+/=%.~]{20,}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def find_credentials(text: str, lower: str) -> Iterator[Found]:
    """The user and password of each URL. Looks only at what is right before an `@` that comes after a `://`."""
    scheme = text.find("://")
    while scheme >= 0 and (at := text.find("@", scheme)) >= 0:
        begin = at - len(word := _last_word(text[max(scheme, at - _LONGEST) : at]))
        if match := _CREDENTIALS.search(word):
            yield begin + match.start() + len("://"), at, _credentials(match, lower[max(0, begin - 5) : at])
        else:
            yield begin, at, None
        scheme = text.find("://", at)


def _last_word(text: str) -> str:
    """What follows the last character that cannot be in credentials."""
    if "://" not in (word := _after_space(text)):
        return word
    return _SEPARATOR.split(word)[-1] if _SEPARATOR.search(word) else word


def _after_space(text: str) -> str:
    return "" if text[-1:].isspace() else text.rsplit(None, 1)[-1] if text else ""


def _credentials(match: Match, lower: str) -> str | None:
    user, password = match["user"], match["password"]
    if password is None:
        return None if len(user) < MIN_LENGTH_FOR_SUFFIX else placeholder("user", user)
    if (user, password) == ("user", "password"):  # as in the documentation
        return None
    before = lower[: len(lower) - len(match[0])]
    if "/" in password and before.endswith(("http", "https")):  # a port, and a path with an @ in it
        return None
    return f"{user}:{placeholder('password')}"


def find_named_parameters(text: str, lower: str) -> Iterator[Found]:
    """Values of query parameters with the name of a secret."""
    for match in _NAMED.finditer(lower):
        start, end = match.span("value")
        yield start, end, placeholder(text[match.start() + 1 : start - 1], text[start:end])


def find_opaque_parameters(text: str, lower: str) -> Iterator[Found]:
    """Values of query parameters that look like a secret: long, of letters and digits."""
    for match in _LONG.finditer(lower):
        start, end = match.span("value")
        value = text[start:end]
        is_secret = _OPAQUE.fullmatch(value) and not _DATE.match(value)
        yield start, end, placeholder(text[match.start() + 1 : start - 1], value) if is_secret else None
