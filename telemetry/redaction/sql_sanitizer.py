"""Removes the literals from SQL statements (OpenTelemetry's semantic conventions, `db.query.text`: "sanitization")."""

import re
from typing import Final

_LITERAL: Final = re.compile(
    r"""
      "(?:[^"]|"")*"                         # quoted identifiers stay
    | (?P<text>[eEbBxXnN]?'(?:[^']|'')*(?:'|$))   # also if it is cut off
    | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|$))
    | (?<![\w$:%.])(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?!\w)
    """,
    re.VERBOSE | re.DOTALL,
)


def sanitize_sql(statement: str) -> str:
    """Replace each text and number by `?`. Names, placeholders and keywords stay."""
    return _LITERAL.sub(lambda match: "?" if match.lastgroup else match[0], statement)
