"""Recognizes exceptions that come from an unavailable database."""

from typing import Final

from telemetry.logs.exception_chain import causes, leaves

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
    """Whether the exception, or one that it came from, says that the database is unavailable. A group: all of its members."""
    return all(any(_is_unavailable(each) for each in causes(leaf)) for leaf in leaves(error))


def _is_unavailable(error: BaseException) -> bool:
    return (type(error).__module__, type(error).__name__) in _UNAVAILABLE
