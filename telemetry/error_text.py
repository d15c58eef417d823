"""Describes any exception in a sentence that is safe to show: no host, path, user or secret in it."""

import os
import re
import socket
from collections.abc import Iterator
from itertools import islice
from typing import Final

_MAX_DEPTH: Final = 10
_MAX_SEARCHED: Final = 1000  # characters of an error; what a driver says of itself is at its beginning
_SQL: Final = "\n[SQL:"  # SQLAlchemy appends the statement after it


class CheckFailed(Exception):  # a finding, which the report calls an error
    """A check failed. The message is a sentence that is safe to show: no host, path, user or secret in it."""


def safe_text(error: BaseException) -> str:
    """Describe an exception by one of a bounded set of sentences, else by its class.

    Its own text is not safe to show: drivers put hosts, paths and users into it.
    """
    sentences = (_sentence(each) for each in islice(_chain(error), _MAX_DEPTH))
    return next((sentence for sentence in sentences if sentence), type(error).__name__)


def error_summary(error: Exception) -> str:
    """The class and the first line of an exception, for the log alone: the other lines may hold a statement's parameters."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"


def register_sentence(pattern: str, sentence: str) -> None:
    """Add a sentence of the application, such as what to do about an error. It precedes the built-in ones.

    Args:
        pattern: a regular expression for an exception's text, case-insensitive.
        sentence: must be safe to show. It replaces the one that was registered for this pattern before.
    """
    _registered[pattern] = sentence


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _sentence(error: BaseException) -> str | None:
    if isinstance(error, CheckFailed):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return _by_number(error) or _known_sentence(str(error)[:_MAX_SEARCHED].split(_SQL, 1)[0])


def _known_sentence(text: str) -> str | None:
    known = (*_registered.items(), *_SENTENCES)
    return next((sentence for pattern, sentence in known if re.search(pattern, text, re.IGNORECASE)), None)


def _by_number(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "no response in time" if isinstance(error, TimeoutError) else None


_registered: dict[str, str] = {}
_SENTENCES: Final = (
    (r"connection refused", "Connection refused"),
    (r"on socket .* failed: no such file", "the database is not listening"),
    (r"(network is|host is) unreachable|no route to host", "the host cannot be reached"),
    (r"resolve host|translate host name|(name or service|nodename).* not known", "the host name is not known"),
    (r"lock timeout", "another transaction holds a lock for too long"),
    (r"statement timeout|^interrupted$", "the query took too long"),
    (r"due to user request", "the query was cancelled"),
    (r"deadlock detected", "two transactions waited for each other"),
    (r"queuepool limit", "all connections to the database are in use"),
    (r"timeout expired|timed out", "no response in time"),
    (r"authentication failed|no password supplied|role .* does not exist", "the database refuses the user or password"),
    (r"database .* does not exist", "there is no such database"),
    (r"too many clients|connection slots", "the database has no connection left"),
    (r"is starting up", "the database is starting"),
    (r"is shutting down|terminating connection", "the database is shutting down"),
    (r"server closed the connection|connection (was|is) (lost|closed)", "the connection was lost"),
    (r"is locked", "the database is locked"),
    (r"unable to open database file", "the database file cannot be opened"),
    (r"during recovery", "the database is a standby in recovery, which is read-only"),
    (r"read-?only (database|transaction)", "the database is read-only"),
    (r"file was deleted or replaced", "the database file was deleted or replaced"),
    (r"disk is full|no space left", "the disk is full"),
    (r"disk i/o error|input/output error", "the disk reports an I/O error"),
    (r"not a database|malformed|could not decode to utf-8", "the database file is damaged"),
    (
        r"no such table|relation .* does not exist",
        "a table is missing: the database's migrations have not been applied",
    ),
)
