"""Whether PostgreSQL connections prepare statements: a pooler in transaction mode, such as PgBouncer, needs that they do not."""

from typing import Final

from sqlalchemy.engine import URL

PARAMETER: Final = "prepare_threshold"
"""The parameter of psycopg in a URL's query: how often a statement is executed before it is prepared; `none`: never."""
_NEVER: Final = frozenset({"", "none", "null"})
_PSYCOPG: Final = "postgresql+psycopg"


def without_prepared_statements(url: URL) -> URL:
    """The URL, which keeps its own parameter if it has one. Other databases have none."""
    return url if url.drivername != _PSYCOPG or PARAMETER in url.query else url.update_query_dict({PARAMETER: "none"})


def prepare_threshold(url: URL) -> dict[str, int | None]:
    """The parameter of the URL as psycopg takes it; empty if the URL has none: then psycopg's own default holds.

    Raises:
        ValueError: it is neither a whole number from 0 nor `none`.
    """
    if PARAMETER not in url.query:
        return {}
    given = url.query[PARAMETER]
    text = (given if isinstance(given, str) else given[-1]).strip().lower()
    if text in _NEVER:
        return {PARAMETER: None}
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{PARAMETER} must be a whole number from 0, or none")
    return {PARAMETER: int(text)}
