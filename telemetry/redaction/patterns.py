"""Patterns of texts that look like secrets. A pattern is searched only in texts with one of its trigger words.

Each costs at most some 20 ns a character, whatever the text is: see `matching`.
"""

import re
from collections.abc import Iterator
from typing import Final

from telemetry.redaction import named_values, urls
from telemetry.redaction.matching import Finder, Found, Match, SecretPattern, matches, placeholder, whole
from telemetry.redaction.sql_sanitizer import sanitize_sql

# --- Tokens -------------------------------------------------------------------------------------------------------

_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_\-]{17,}+(?:\.[A-Za-z0-9_\-]*+){0,2}+")
_SK: Final = re.compile(r"sk-(?<![\w\-]sk-)(?=[A-Za-z_\-]*+[0-9*])[A-Za-z0-9_\-*]{8,}+")
_PREFIXED: Final = {
    "gh": r"gh[pos]_[A-Za-z0-9]{20,}+",
    "github_pat_": r"github_pat_[A-Za-z0-9_]{20,}+",
    "glpat-": r"glpat-[A-Za-z0-9_\-]{16,}+",
    "glsa_": r"glsa_[A-Za-z0-9_]{20,}+",
    "glc_": r"glc_[A-Za-z0-9_=]{20,}+",
    "xox": r"xox[abeprs]-[A-Za-z0-9\-]{10,}+",
    "AKIA": r"AKIA[0-9A-Z]{16}",
    "AIza": r"AIza[A-Za-z0-9_\-]{30,}+",
}
_SCHEMES: Final = tuple(
    re.compile(rf"{name}(?<!\w{name})\s++(?P<value>(?=[a-z._~+/\-]*+[0-9])[a-z0-9._~+/\-]{{8,}}+=*+)")
    for name in ("bearer", "basic")
)
_BOT: Final = re.compile(r"[0-9](?<![0-9].)[0-9]{5,11}+(?::|%3[aA])[A-Za-z0-9_\-]{30,}+")
_BOT_PATH: Final = re.compile(r"/bot(?P<token>[0-9]{1,20}+(?::|%3[aA])[^/\s\"'<>?#]++)")


def _after_no_word(prefix: str, pattern: str) -> re.Pattern[str]:
    """The pattern where no letter or digit is before it. It begins with the literal, which `re` finds fast."""
    return re.compile(rf"{prefix}(?<!\w{prefix}){pattern.removeprefix(prefix)}")


def _find_scheme(pattern: re.Pattern[str], name: str) -> Finder:
    def find(text: str, lower: str) -> Iterator[Found]:
        for match in pattern.finditer(lower):
            start, end = match.span("value")
            value, word = text[start:end], text[match.start() : match.start() + len(name)]
            yield match.start(), end, f"{word} {placeholder('token', value)}"

    return find


def _bot_path(match: Match) -> str:
    return f"/bot{placeholder('bot token', match['token'])}"


# --- Private keys -------------------------------------------------------------------------------------------------

_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z ]{0,40}?PRIVATE KEY-----")
_PEM_END: Final = re.compile(r"-----END [A-Z ]{0,40}?PRIVATE KEY-----")


def _find_private_keys(text: str, _lower: str) -> Iterator[Found]:
    """Each key with its first and last line. One that is cut off goes on to the end of the text."""
    done = 0
    while begin := _PEM_BEGIN.search(text, done):
        end = _PEM_END.search(text, begin.end())
        done = end.end() if end else len(text)
        yield begin.start(), done, placeholder("private key", text[begin.start() : done])


# --- Rows and statements in error messages of the database --------------------------------------------------------

_ROW: Final = re.compile(r"Failing row contains \((?P<row>[^\n]*+)")
_KEY_VALUE: Final = re.compile(r"Key \((?P<columns>(?:[^()\n]++|\([^()\n]*+\)){1,20}+)\)=\((?P<value>[^)\n]*+)(?=\))")
_STATEMENT_END: Final = re.compile(r"\](?=\n|\Z)|\n(?=\[)")
_FREE_LITERALS: Final = 8
_LINE: Final = re.compile(r"LINE (?<![^\n]LINE )[0-9]{1,6}+: (?P<statement>[^\n]*+)")


def _row(_match: Match) -> str:
    return f"Failing row contains ({placeholder('row')})."


def _key_value(match: Match) -> str:
    return f"Key ({match['columns']})=({placeholder('value')}"


def _find_statements(text: str, _lower: str) -> Iterator[Found]:
    """Statements as SQLAlchemy quotes them in an error."""
    done = 0
    while (begin := text.find("[SQL: ", done)) >= 0:
        start = begin + len("[SQL: ")
        end = _STATEMENT_END.search(text, start)
        done = end.start() if end else len(text)
        yield start, done, sanitize_sql(text[start:done], _FREE_LITERALS)


def _line(match: Match) -> str:
    """The one line of a statement that PostgreSQL quotes in an error."""
    statement: str = match["statement"]
    return f"{match[0][: len(match[0]) - len(statement)]}{sanitize_sql(statement, _FREE_LITERALS)}"


# --- Card numbers -------------------------------------------------------------------------------------------------

_CARD: Final = re.compile(
    r"[2456](?<![0-9A-Za-z_.\-].)[0-9]{3}(?P<gap>[ \-+]?+)[0-9]{4}(?P=gap)[0-9]{4}(?P=gap)[0-9]{4}(?![0-9A-Za-z_\-])"
)
_ENCODED_CARD: Final = re.compile(r"[2456][0-9]{3}%20[0-9]{4}%20[0-9]{4}%20[0-9]{4}(?![0-9A-Za-z_\-])")
_ISSUERS: Final = re.compile(r"4|5[1-5]|2[2-7]|6[025]")  # Visa; Mastercard; Mir and Mastercard; Maestro, UnionPay
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))  # Luhn's rule, ISO/IEC 7812-1
_DIGITS: Final = bytes.maketrans(b"0123456789", bytes(range(10)))


def _card(match: Match) -> str | None:
    if not _ISSUERS.match(match[0]):
        return None
    digits = match[0].replace("%20", "").encode().translate(_DIGITS, b" -+")
    doubled = match[0].replace("%20", "").encode().translate(_DOUBLED, b" -+")
    is_card = (sum(digits[1::2]) + sum(doubled[0::2])) % 10 == 0
    return placeholder("card", match[0]) if is_card else None


PATTERNS: Final = (
    SecretPattern(("://",), urls.find_credentials, 160),
    SecretPattern(("-----begin ",), _find_private_keys),
    SecretPattern(("eyj",), matches(_JWT, whole("JWT"))),
    SecretPattern(("sk-",), matches(_SK, whole("key"))),
    *(
        SecretPattern((prefix.lower(),), matches(_after_no_word(prefix, pattern), whole("token")))
        for prefix, pattern in _PREFIXED.items()
    ),
    *(
        SecretPattern((name,), _find_scheme(pattern, name))
        for name, pattern in zip(("bearer", "basic"), _SCHEMES, strict=True)
    ),
    SecretPattern(named_values.TRIGGERS, named_values.find_named_values, 320),
    SecretPattern(("?",), urls.find_parameters),
    SecretPattern((":aa", "%3aa", "/bot"), matches(_BOT, whole("bot token"))),
    SecretPattern(("/bot",), matches(_BOT_PATH, _bot_path)),
    SecretPattern(("failing row contains (",), matches(_ROW, _row)),
    SecretPattern((")=(",), matches(_KEY_VALUE, _key_value)),
    SecretPattern(("[sql: ",), _find_statements, 160),
    SecretPattern(("line ",), matches(_LINE, _line), 160),
)
CARD_PATTERNS: Final = (
    SecretPattern((), matches(_CARD, _card), 128),
    SecretPattern(("%20",), matches(_ENCODED_CARD, _card), 128),
)
"""Searched only in texts with at least `CARD_DIGITS` digits."""
CARD_DIGITS: Final = 16
_NO_DIGITS: Final = bytes(set(range(256)) - set(b"0123456789"))


def count_digits(text: str) -> int:
    """Number of ASCII digits in the text."""
    return len(text.encode("utf-8", "replace").translate(None, _NO_DIGITS))
