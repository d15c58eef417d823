"""Short names of spans for the rows of `job_runs`; a database query is named by its verb and table."""

import re
from functools import lru_cache
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

_STATEMENT_ATTRIBUTES: Final = ("db.query.text", "db.statement")
"""The attribute of OpenTelemetry's semantic conventions, and its predecessor."""
_MAX_STATEMENT_LENGTH: Final = 2000  # characters; the rest of a statement is ignored
_WRITE_STATEMENT: Final = re.compile(
    r"\b(INSERT)\s+INTO\s+(\S+)|\b(UPDATE)\s+(\S+)\s+SET\b|\b(DELETE)\s+FROM\s+(\S+)", re.IGNORECASE
)
_FROM_CLAUSE: Final = re.compile(r"\bFROM\s+([\w.\"`\[\]]+)", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_AFTER_NAME: Final = re.compile(r"[(;,].*$")


def display_name(span: ReadableSpan) -> str:
    """The short name of a span, such as `SELECT books` or `POST /v4/posting/fbs/list`."""
    attributes = span.attributes or {}
    statement = next((text for name in _STATEMENT_ATTRIBUTES if isinstance(text := attributes.get(name), str)), None)
    return (_summarize(statement[:_MAX_STATEMENT_LENGTH]) if statement else "") or span.name


@lru_cache(maxsize=1024)
def _summarize(statement: str) -> str:
    first = _FIRST_WORD.match(statement)
    verb = first[1].upper() if first else ""
    if verb in {"INSERT", "UPDATE", "DELETE", "WITH"} and (change := _WRITE_STATEMENT.search(statement)):
        verb, table = (part for part in change.groups() if part)
        return f"{verb.upper()} {_unquoted(table)}"
    verb = "SELECT" if verb == "WITH" else verb
    read = _FROM_CLAUSE.search(statement) if verb == "SELECT" else None
    return f"{verb} {_unquoted(read[1])}" if read else verb


def _unquoted(table: str) -> str:
    return _AFTER_NAME.sub("", table).translate({ord(quote): None for quote in '"`[]'})
