"""Span names: what a span is called in a row of `job_runs`; a query by what it does with which table."""

import re
from functools import lru_cache
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

_STATEMENTS: Final = ("db.query.text", "db.statement")
"""OpenTelemetry's attribute, and the one that it had before."""
_LONGEST: Final = 2000  # characters of a statement that are looked at
_CHANGES: Final = re.compile(
    r"\b(INSERT)\s+INTO\s+(\S+)|\b(UPDATE)\s+(\S+)\s+SET\b|\b(DELETE)\s+FROM\s+(\S+)", re.IGNORECASE
)
_READS: Final = re.compile(r"\bFROM\s+([\w.\"`\[\]]+)", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_BEYOND_A_NAME: Final = re.compile(r"[(;,].*$")


def name_of(span: ReadableSpan) -> str:
    """Such as `SELECT books`, `POST /v4/posting/fbs/list`."""
    attributes = span.attributes or {}
    statement = next((text for name in _STATEMENTS if isinstance(text := attributes.get(name), str)), None)
    return (_query(statement[:_LONGEST]) if statement else "") or span.name


@lru_cache(maxsize=1024)
def _query(statement: str) -> str:
    first = _FIRST_WORD.match(statement)
    verb = first[1].upper() if first else ""
    if verb in {"INSERT", "UPDATE", "DELETE", "WITH"} and (change := _CHANGES.search(statement)):
        verb, table = (part for part in change.groups() if part)
        return f"{verb.upper()} {_bare(table)}"
    verb = "SELECT" if verb == "WITH" else verb
    read = _READS.search(statement) if verb == "SELECT" else None
    return f"{verb} {_bare(read[1])}" if read else verb


def _bare(table: str) -> str:
    return _BEYOND_A_NAME.sub("", table).translate({ord(quote): None for quote in '"`[]'})
