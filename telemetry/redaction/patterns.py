"""Patterns of texts that look like secrets. A pattern is searched only in texts with one of its trigger words.

All patterns take time linear in the length of the text: no part can start at every position of what another part matched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telemetry.redaction.sql_sanitizer import sanitize_sql

Match = re.Match[str]
_SUFFIX_LENGTH: Final = 4  # characters at the end of a secret that stay, to tell two secrets apart
_MIN_LENGTH_FOR_SUFFIX: Final = 16  # characters


def placeholder(kind: str, value: str = "") -> str:
    """What replaces a secret, such as `[hidden JWT …a1b2]`: its kind, and the end of a long one."""
    suffix = (
        f" …{value[-_SUFFIX_LENGTH:]}"
        if len(value) >= _MIN_LENGTH_FOR_SUFFIX and value[-_SUFFIX_LENGTH:].isalnum()
        else ""
    )
    return f"[hidden {kind}{suffix}]"


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """`triggers` are lower-case. A text without any of them is not searched."""

    triggers: tuple[str, ...]
    pattern: re.Pattern[str]
    replace: Callable[[Match], str]

    def redact(self, text: str) -> str:
        return self.pattern.sub(self.replace, text)


def _whole(kind: str) -> Callable[[Match], str]:
    return lambda match: placeholder(kind, match[0])


# --- URLs ---------------------------------------------------------------------------------------------------------


def _credentials(match: Match) -> str:
    user, password, is_web = match["user"], match["password"], match["web"]
    if password is None:
        return match[0] if len(user) < _MIN_LENGTH_FOR_SUFFIX else f"{match['begin']}{placeholder('user', user)}@"
    if is_web and "/" in password:  # a port, and a path with an @ in it
        return match[0]
    return f"{match['begin']}{user}:{placeholder('password')}@"


_CREDENTIALS: Final = re.compile(
    r"(?P<begin>(?P<web>https?)?://)(?P<user>[^\s/:@\"'<>\[\]]{0,256})(?::(?P<password>[^\s@\"'<>\[\]]{1,512}))?@"
)

_QUERY_NAMES: Final = frozenset(
    ("key", "auth", "sig", "code", "sid", "jwt", "otp", "pin", "pass", "access", "hash", "ticket", "session", "state")
)
_OPAQUE: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_\-+/=%.~]{20,}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _parameter(match: Match) -> str:
    name, value = match["name"], match["value"]
    is_opaque = _OPAQUE.fullmatch(value) and not _DATE.match(value)
    return (
        f"{match['begin']}{name}={placeholder(name, value)}" if name.lower() in _QUERY_NAMES or is_opaque else match[0]
    )


_PARAMETER: Final = re.compile(r"(?P<begin>[?&])(?P<name>[A-Za-z0-9_.~\-]{1,64})=(?P<value>[^\s&#\"'<>\[\]{}]+)")


# --- Names of secrets with their values ---------------------------------------------------------------------------

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
_EMPTY_VALUES: Final = frozenset(
    ("none", "null", "true", "false", "undefined", "nil", "***", "%s", "%r", "...", "…", "")
)
_NAMED_SECRET: Final = re.compile(rf"(?i)(?:.*[^A-Za-z])?{_NAME}", re.DOTALL)
_CAMEL_CASE_SECRET: Final = re.compile(r"(?i).*(?:password|secret|token|apikey|accesskey|privatekey)")
_SCHEME_PARAMETERS: Final = frozenset(
    ("auth", "authentication", "authorization", "credentials", "realm", "token", "scheme")
)
_MIN_TOKEN_LENGTH: Final = 8
_MIN_VALUE_LENGTH: Final = 4  # `A token: 3 a second` has no secret
_WORDS: Final = re.compile(r"[^\W\d_]+(?:[_\-.][^\W\d_]+)*[.:!]?")
_SOURCE_FILE: Final = re.compile(r'\s*(?:\|\s*)*File "')
_MAX_SOURCE_INDENT: Final = 200  # characters between the beginning of a line of source code and the pair


def _pair(match: Match) -> str:
    name, kind = match["name"], next(each for each in ("quoted", "escaped", "bare") if match[each] is not None)
    value = match[kind]
    if _is_empty(value) or (kind == "bare" and _is_prose(match, value)):
        return match[0]
    replacement = placeholder(_kind(name), value if "pass" not in name.lower() and "pwd" not in name.lower() else "")
    start, end = match.start(kind) - match.start(), match.end(kind) - match.start()
    return f"{match[0][:start]}{replacement}{match[0][end:]}"


def _kind(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")


def _is_empty(value: str) -> bool:
    return value.lower() in _EMPTY_VALUES or value.startswith(("[hidden", "hidden ", "***", "%(", "${", "…"))


def _is_prose(match: Match, value: str) -> bool:
    """Whether the pair has no value, as in `Invalid token: expired` or in a line of source code in a traceback."""
    if match["scheme"]:
        return value.lower() in _SCHEME_PARAMETERS or (
            len(value) < _MIN_TOKEN_LENGTH and value.isalpha() and value.islower()
        )
    if _is_source_line(match):
        return True
    if match["between"] == "=":
        return False
    is_password = match["name"].lower().startswith(("pass", "pwd"))
    return (len(value) < _MIN_VALUE_LENGTH and not is_password) or (
        len(value) < 2 * _MIN_LENGTH_FOR_SUFFIX and bool(_WORDS.fullmatch(value))
    )


def _is_source_line(match: Match) -> bool:
    text, start = match.string, match.start()
    line_end = text.rfind("\n", max(0, start - _MAX_SOURCE_INDENT), start)
    if line_end < 0:
        return False
    line_start = text.rfind("\n", 0, line_end) + 1
    return text[line_end + 1 : start].startswith("    ") and bool(_SOURCE_FILE.match(text, line_start, line_end))


# --- Tokens -------------------------------------------------------------------------------------------------------


def _scheme(match: Match) -> str:
    return f"{match['scheme']} {placeholder('token', match['value'])}"


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


# --- Rows in error messages of the database, and card numbers -------------------------------------------------------------------

_ROW: Final = re.compile(r"(?P<begin>Failing row contains \()[^\n]*|(?P<key>Key \([^)\n]{1,200}\)=\()[^\n]*?(?=\))")


def _row(match: Match) -> str:
    return f"{match['begin']}{placeholder('row')})." if match["begin"] else f"{match['key']}{placeholder('value')}"


_SQL: Final = re.compile(
    r"(?P<begin>\[SQL: |^LINE [0-9]{1,6}: )(?P<statement>.*?)(?=\]$|\]\n|\n\[|\Z)", re.DOTALL | re.MULTILINE
)


def _statement(match: Match) -> str:
    """A statement as SQLAlchemy and PostgreSQL quote it in an error. PostgreSQL quotes only that one line of it."""
    statement, rest = match["statement"], ""
    if match["begin"].startswith("LINE"):
        statement, newline, rest = statement.partition("\n")
        rest = newline + rest
    return f"{match['begin']}{sanitize_sql(statement)}{rest}"


_CARD: Final = re.compile(
    r"[2456][0-9]{3}(?P<gap>[ \-+]|%20|)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?![0-9A-Za-z_\-])"
    r"(?<![0-9A-Za-z_.\-][0-9]{16})(?<![0-9A-Za-z_.\-][0-9]{4}[ \-+][0-9]{4}[ \-+][0-9]{4}[ \-+][0-9]{4})"
)
_ISSUERS: Final = re.compile(r"4|5[1-5]|2[2-7]|6[025]")  # Visa; Mastercard; Mir and Mastercard; Maestro, UnionPay


def _card(match: Match) -> str:
    digits = [int(letter) for letter in match[0].replace("%20", "") if letter.isdigit()]
    doubled = [each * 2 - 9 * (each > 4) for each in digits[-2::-2]]  # noqa: PLR2004  # Luhn's rule, ISO/IEC 7812-1
    is_card = _ISSUERS.match(match[0]) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
    return placeholder("card", match[0]) if is_card else match[0]


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
"""Has no trigger word: it is searched in texts with at least `CARD_DIGITS` digits."""
CARD_DIGITS: Final = 16
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))


def count_digits(text: str) -> int:
    """Number of ASCII digits in the text."""
    return len(text.encode("utf-8", "replace").translate(None, _NO_DIGITS))


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret: true for `http.request.header.authorization`, `apiKey`, not `input_tokens`."""
    return bool(_NAMED_SECRET.fullmatch(name) or _CAMEL_CASE_SECRET.fullmatch(name))
