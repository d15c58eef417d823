"""Removes the literals from SQL statements (OpenTelemetry's semantic conventions, `db.query.text`: "sanitization")."""

import re
from collections.abc import Iterator
from typing import Final

from telemetry.redaction.matching import FREE_CANDIDATES, Found, Match, substitute

_LITERAL: Final = re.compile(
    r"""
    ["'$0-9](?<![\w$:%.][0-9])(?:
        (?<=")[^"]*+"                                                   # quoted identifiers stay
      | (?<=')(?P<text>[^']*+(?:''[^']*+)*+(?:'|\Z))                    # also if it is cut off
      | (?<=\$)(?P<tag>[A-Za-z_]*+)\$
      | (?<=[0-9])(?P<number>[0-9]*+(?:\.[0-9]++)?+(?:[eE][+\-]?[0-9]++)?+)(?!\w)
    )
    """,
    re.VERBOSE,
)
_TEXT_PREFIXES: Final = frozenset("eEbBxXnN")
_SPACING: Final = 96


def sanitize_sql(statement: str, free: int = FREE_CANDIDATES) -> str:
    """Replace each text and number by `?`. Names, placeholders and keywords stay. See `substitute` for `free`."""
    return substitute(statement, _literals(statement), _SPACING, free)


def _literals(statement: str) -> Iterator[Found]:
    done = 0
    while match := _LITERAL.search(statement, done):
        start, done = match.span()
        if match.lastgroup == "tag":
            done = _end_of_dollar_quotes(statement, match)
        elif match.lastgroup == "text" and statement[start - 1 : start] in _TEXT_PREFIXES:
            start -= 1
        yield start, done, "?" if match.lastgroup else None


def _end_of_dollar_quotes(statement: str, opening: Match) -> int:
    end = statement.find(opening[0], opening.end())
    return len(statement) if end < 0 else end + len(opening[0])
