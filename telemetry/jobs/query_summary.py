"""Span names: what a span is called in a row of `job_runs`; a query by what it does with which table."""

import re
from functools import lru_cache
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

_STATEMENT_ATTRIBUTES: Final = ("db.query.text", "db.statement")
"""OpenTelemetry's attribute, and the one that it had before."""
_MAX_STATEMENT_LENGTH: Final = 2000  # characters of a statement that are looked at
_WRITE_STATEMENT: Final = re.compile(
    r"\b(INSERT)\s+INTO\s+(\S+)|\b(UPDATE)\s+(\S+)\s+SET\b|\b(DELETE)\s+FROM\s+(\S+)", re.IGNORECASE
)
_FROM_CLAUSE: Final = re.compile(r"\bFROM\s+([\w.\"`\[\]]+)", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_AFTER_NAME: Final = re.compile(r"[(;,].*$")


def display_name(span: ReadableSpan) -> str:
    """Such as `SELECT orders`, `POST /v4/posting/fbs/list`."""
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
