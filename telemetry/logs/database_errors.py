"""Recognizes exceptions that come from an unavailable database."""

from typing import Final

from telemetry.logs.exception_chain import causes

_UNAVAILABLE: Final = frozenset(
    {
        ("sqlalchemy.exc", "OperationalError"),
        ("sqlalchemy.exc", "InterfaceError"),
        ("sqlalchemy.exc", "TimeoutError"),
        ("sqlalchemy.exc", "DisconnectionError"),
        ("psycopg", "OperationalError"),
        ("psycopg.errors", "OperationalError"),
        ("sqlite3", "OperationalError"),
    }
)


def is_database_unavailable(error: BaseException) -> bool:
    """Whether the exception, or one that it came from, says that the database is unavailable."""
    return any((type(each).__module__, type(each).__name__) in _UNAVAILABLE for each in causes(error))
