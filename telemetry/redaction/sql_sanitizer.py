"""SQL: a statement without its literals, as OpenTelemetry's conventions for `db.query.text` ask ("sanitization")."""

import re
from typing import Final

_LITERAL: Final = re.compile(
    r"""
      "(?:[^"]|"")*"                         # an identifier stays
    | (?P<text>[eEbBxXnN]?'(?:[^']|'')*(?:'|$))   # also one that is cut off
    | (?P<dollar>\$(?P<tag>[A-Za-z_]*)\$.*?(?:\$(?P=tag)\$|$))
    | (?<![\w$:%.])(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?!\w)
    """,
    re.VERBOSE | re.DOTALL,
)


def without_literals(statement: str) -> str:
    """Each text and number becomes `?`; names, placeholders and keywords stay."""
    return _LITERAL.sub(lambda found: "?" if found.lastgroup else found[0], statement)
