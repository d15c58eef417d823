"""Shapes: what looks like a secret, whoever's it is. Each is looked for only where a word in the text gives a reason to.

Patterns are linear in the length of the text: no part of one can begin at every place of what another part has taken.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.redaction.sql_sanitizer import without_literals

Match = re.Match[str]
_SHOWN: Final = 4  # the end of an id tells two of them apart
_SHOWN_OF: Final = 16  # characters that it must have for that


def placeholder(kind: str, value: str = "") -> str:
    """`[hidden JWT …a1b2]`: what it was, and of a long one the end."""
    end = f" …{value[-_SHOWN:]}" if len(value) >= _SHOWN_OF and value[-_SHOWN:].isalnum() else ""
    return f"[hidden {kind}{end}]"


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """`triggers` are in small letters; a text that has none of them is not looked through."""

    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Callable[[Match], str]

    def hide(self, text: str) -> str:
        return self.pattern.sub(self.replace, text)


def _whole(kind: str) -> Callable[[Match], str]:
    return lambda found: placeholder(kind, found[0])


# --- URLs ---------------------------------------------------------------------------------------------------------


def _credentials(found: Match) -> str:
    user, password, is_web = found["user"], found["password"], found["web"]
    if password is None:
        return found[0] if len(user) < _SHOWN_OF else f"{found['begin']}{placeholder('user', user)}@"
    if is_web and "/" in password:  # a port and a path, with an @ in it
        return found[0]
    return f"{found['begin']}{user}:{placeholder('password')}@"


_CREDENTIALS: Final = re.compile(
    r"(?P<begin>(?P<web>https?)?://)(?P<user>[^\s/:@\"'<>\[\]]{0,256})(?::(?P<password>[^\s@\"'<>\[\]]{1,512}))?@"
)

_QUERY_NAMES: Final = frozenset(
    ("key", "auth", "sig", "code", "sid", "jwt", "otp", "pin", "pass", "access", "hash", "ticket", "session", "state")
)
_OPAQUE: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_\-+/=%.~]{20,}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _parameter(found: Match) -> str:
    name, value = found["name"], found["value"]
    is_opaque = _OPAQUE.fullmatch(value) and not _DATE.match(value)
    return (
        f"{found['begin']}{name}={placeholder(name, value)}" if name.lower() in _QUERY_NAMES or is_opaque else found[0]
    )


_PARAMETER: Final = re.compile(r"(?P<begin>[?&])(?P<name>[A-Za-z0-9_.~\-]{1,64})=(?P<value>[^\s&#\"'<>\[\]{}]+)")


# --- Names that say what their value is ---------------------------------------------------------------------------

_NAME: Final = (
    r"(?P<name>pass(?:word|wd|phrase)|pwd|secret|token|(?:api|access|private|secret|encryption)[_\-]?key"
    r"|(?:proxy[_\-])?authorization|credentials?|(?:set[_\-])?cookie|signature|session[_\-]?id)"
)
_QUOTED: Final = r"""[bru]?(?P<quote>["'])(?P<quoted>(?:(?!(?P=quote))[^\\\n]|\\.)*)(?:(?P=quote)|$)"""
_ESCAPED: Final = r"""\\["'](?P<escaped>[^"'\\\n]*)(?:\\["']|$)"""  # JSON in JSON
_BARE: Final = r"(?:(?P<scheme>Bearer|Basic|Digest|Token)\s+)?(?P<bare>[^\s,;&\"'()<>{}\[\]\\]+)"
_PAIR: Final = re.compile(
    rf"(?i){_NAME}(?P<close>\\?[\"'])?(?P<between>\s{{0,3}}[=:]\s{{0,3}}|\s{{0,3}},\s{{0,3}}(?=[bru]?[\"']))(?:{_QUOTED}|{_ESCAPED}|{_BARE})"
)
_NOTHING: Final = frozenset(("none", "null", "true", "false", "undefined", "nil", "***", "%s", "%r", "...", "…", ""))
_NAMED_SECRET: Final = re.compile(rf"(?i)(?:.*[^A-Za-z])?{_NAME}", re.DOTALL)
_CAMEL: Final = re.compile(r"(?i).*(?:password|secret|token|apikey|accesskey|privatekey)")
_OF_SCHEMES: Final = frozenset(("auth", "authentication", "authorization", "credentials", "realm", "token", "scheme"))
_SHORT_WORD: Final = 8
_SHORTEST: Final = 4  # `A token: 3 a second` tells of none
_WORDS: Final = re.compile(r"[^\W\d_]+(?:[_\-.][^\W\d_]+)*[.:!]?")
_SOURCE_FILE: Final = re.compile(r'\s*(?:\|\s*)*File "')
_PAIR_LINE: Final = 200  # characters before the pair in which its line begins, if it is source code


def _pair(found: Match) -> str:
    name, kind = found["name"], next(each for each in ("quoted", "escaped", "bare") if found[each] is not None)
    value = found[kind]
    if _says_nothing(value) or (kind == "bare" and _is_prose(found, value)):
        return found[0]
    shown = placeholder(_kind(name), value if "pass" not in name.lower() and "pwd" not in name.lower() else "")
    before, behind = found.start(kind) - found.start(), found.end(kind) - found.start()
    return f"{found[0][:before]}{shown}{found[0][behind:]}"


def _kind(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")


def _says_nothing(value: str) -> bool:
    return value.lower() in _NOTHING or value.startswith(("[hidden", "hidden ", "***", "%(", "${", "…"))


def _is_prose(found: Match, value: str) -> bool:
    """`Invalid token: expired`, or a line of source code in a traceback: both name something, and give no value away."""
    if found["scheme"]:
        return value.lower() in _OF_SCHEMES or (len(value) < _SHORT_WORD and value.isalpha() and value.islower())
    if _is_source_line(found):
        return True
    if found["between"] == "=":
        return False
    is_password = found["name"].lower().startswith(("pass", "pwd"))
    return (len(value) < _SHORTEST and not is_password) or (
        len(value) < 2 * _SHOWN_OF and bool(_WORDS.fullmatch(value))
    )


def _is_source_line(found: Match) -> bool:
    text, at = found.string, found.start()
    begin = text.rfind("\n", max(0, at - _PAIR_LINE), at)
    if begin < 0:
        return False
    before = text.rfind("\n", 0, begin) + 1
    return text[begin + 1 : at].startswith("    ") and bool(_SOURCE_FILE.match(text, before, begin))


# --- Tokens -------------------------------------------------------------------------------------------------------


def _scheme(found: Match) -> str:
    return f"{found['scheme']} {placeholder('token', found['value'])}"


_SCHEME: Final = re.compile(
    r"(?i)(?P<scheme>\bbearer|\bbasic)\s+(?P<value>(?=[A-Za-z._~+/\-]*[0-9])[A-Za-z0-9._~+/\-]{8,}=*)"
)
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{17,}(?:\.[A-Za-z0-9_\-]*){0,2}")
_SK: Final = re.compile(r"(?<![\w\-])sk-(?=[A-Za-z_\-]*[0-9*])[A-Za-z0-9_\-*]{8,}")
_PREFIXED: Final = re.compile(
    r"\b(?:gh[pos]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_\-]{16,}|glsa_[A-Za-z0-9_]{20,}"
    r"|glc_[A-Za-z0-9_=]{20,}|xox[abeprs]-[A-Za-z0-9\-]{10,}|AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_\-]{30,})"
)
_PEM: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL
)
_BOT: Final = re.compile(
    r"(?<![0-9])[0-9]{6,12}(?::|%3[aA])[A-Za-z0-9_\-]{30,}|(?<=/bot)[0-9]{1,20}(?::|%3[aA])[^/\s\"'<>?#]+"
)


# --- What the database says of a row, and cards -------------------------------------------------------------------

_ROW: Final = re.compile(r"(?P<begin>Failing row contains \()[^\n]*|(?P<key>Key \([^)\n]{1,200}\)=\()[^\n]*?(?=\))")


def _row(found: Match) -> str:
    return f"{found['begin']}{placeholder('row')})." if found["begin"] else f"{found['key']}{placeholder('value')}"


_SQL: Final = re.compile(
    r"(?P<begin>\[SQL: |^LINE [0-9]{1,6}: )(?P<statement>.*?)(?=\]$|\]\n|\n\[|\Z)", re.DOTALL | re.MULTILINE
)


def _statement(found: Match) -> str:
    """As SQLAlchemy and PostgreSQL repeat it in the text of an error; of the second only that line is the statement's."""
    statement, rest = found["statement"], ""
    if found["begin"].startswith("LINE"):
        statement, newline, rest = statement.partition("\n")
        rest = newline + rest
    return f"{found['begin']}{without_literals(statement)}{rest}"


_CARD: Final = re.compile(
    r"[2456][0-9]{3}(?P<gap>[ \-+]|%20|)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?![0-9A-Za-z_\-])"
    r"(?<![0-9A-Za-z_.\-][0-9]{16})(?<![0-9A-Za-z_.\-][0-9]{4}[ \-+][0-9]{4}[ \-+][0-9]{4}[ \-+][0-9]{4})"
)
_ISSUERS: Final = re.compile(r"4|5[1-5]|2[2-7]|6[025]")  # Visa; Mastercard; Mir and Mastercard; Maestro, UnionPay


def _card(found: Match) -> str:
    digits = [int(letter) for letter in found[0].replace("%20", "") if letter.isdigit()]
    doubled = [each * 2 - 9 * (each > 4) for each in digits[-2::-2]]  # noqa: PLR2004  # Luhn's rule, ISO/IEC 7812-1
    is_card = _ISSUERS.match(found[0]) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    return placeholder("card", found[0]) if is_card else found[0]


_PAIR_TRIGGERS: Final = ("pass", "pwd", "secret", "token", "key", "author", "cred", "cook", "signat", "sess")
PATTERNS: Final = (
    SecretPattern(("://",), _CREDENTIALS, _credentials),
    SecretPattern(("-----",), _PEM, _whole("private key")),
    SecretPattern(("eyj",), _JWT, _whole("JWT")),
    SecretPattern(("sk-",), _SK, _whole("key")),
    SecretPattern(("gh", "gl", "xox", "akia", "aiza"), _PREFIXED, _whole("token")),
    SecretPattern(("bear", "basic"), _SCHEME, _scheme),
    SecretPattern(_PAIR_TRIGGERS, _PAIR, _pair),
    SecretPattern(("?",), _PARAMETER, _parameter),
    SecretPattern((":aa", "%3aa", "/bot"), _BOT, _whole("bot token")),
    SecretPattern(("failing row", ")=("), _ROW, _row),
    SecretPattern(("[sql: ", "line "), _SQL, _statement),
)
CARD_PATTERN: Final = SecretPattern((), _CARD, _card)
"""A number has no word to know it by: a text with as many digits as a card has is looked through for it."""
CARD_DIGITS: Final = 16
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))


def digits_in(text: str) -> int:
    return len(text.encode("utf-8", "replace").translate(None, _NO_DIGITS))


def names_a_secret(name: str) -> bool:
    """Whether what goes by this name is a secret: `http.request.header.authorization`, `apiKey`, not `input_tokens`."""
    return bool(_NAMED_SECRET.fullmatch(name) or _CAMEL.fullmatch(name))
