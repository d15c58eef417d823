"""Short names of spans for the rows of `job_runs`; a database query is named by its operations and tables."""

from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from telemetry import semconv
from telemetry.instrumentation.sql_statement import describe_statement

_STATEMENT_ATTRIBUTES: Final = (semconv.DB_QUERY_TEXT, "db.statement")
"""The attribute of OpenTelemetry's semantic conventions, and its predecessor."""


def display_name(span: ReadableSpan) -> str:
    """The short name of a span, such as `SELECT books` or `POST /v4/posting/fbs/list`."""
    attributes = span.attributes or {}
    if isinstance(summary := attributes.get(semconv.DB_QUERY_SUMMARY), str):
        return summary
    statement = next((text for name in _STATEMENT_ATTRIBUTES if isinstance(text := attributes.get(name), str)), None)
    return (describe_statement(statement).summary if statement else "") or span.name
