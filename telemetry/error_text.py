"""Error text: what went wrong, in a sentence that anybody may see."""

import os
import re
import socket
from collections.abc import Iterator
from itertools import islice
from typing import Final


class CheckFailed(Exception):  # it is a finding; that it is an error is for the report to say
    """A check failed, and the message is a sentence for everybody: no host, path, user or secret in it."""


def safe_text(error: BaseException) -> str:
    """Say what went wrong in one of a closed set of sentences, else by the error's class.

    An error's own text is not for everybody: drivers put hosts, paths and users into it.
    """
    sentences = (_sentence(each) for each in islice(_chain(error), _MAX_DEPTH))
    return next((sentence for sentence in sentences if sentence), type(error).__name__)


def set_migration_hint(hint: str) -> None:
    """What to do about a missing table, such as "run `migrate up`". It follows the sentence, in this process."""
    global _migration_hint  # noqa: PLW0603  # one for a process: errors are described everywhere
    _migration_hint = hint


_migration_hint = ""
_MAX_DEPTH: Final = 10


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _sentence(error: BaseException) -> str | None:
    if isinstance(error, CheckFailed):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return _by_number(error) or _known_sentence(str(error).split(_SQL, 1)[0])


_SQL: Final = "\n[SQL:"  # behind it SQLAlchemy repeats the statement


def _known_sentence(text: str) -> str | None:
    found = next((sentence for pattern, sentence in _SENTENCES if re.search(pattern, text, re.IGNORECASE)), None)
    return f"{found}: {_migration_hint}" if found == _MISSING_TABLE and _migration_hint else found


def _by_number(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "no answer in time" if isinstance(error, TimeoutError) else None


_MISSING_TABLE: Final = "migrations are missing"
_SENTENCES: Final = (
    (r"connection refused", "Connection refused"),
    (r"on socket .* failed: no such file", "the database is not listening"),
    (r"(network is|host is) unreachable|no route to host", "the host cannot be reached"),
    (r"resolve host|translate host name|(name or service|nodename).* not known", "the host name is not known"),
    (r"statement timeout|lock timeout", "the query took too long"),
    (r"queuepool limit", "all connections to the database are in use"),
    (r"timeout expired|timed out", "no answer in time"),
    (r"authentication failed|no password supplied|role .* does not exist", "the database refuses the user or password"),
    (r"database .* does not exist", "there is no such database"),
    (r"too many clients|connection slots", "the database has no connection left"),
    (r"is starting up", "the database is starting"),
    (r"is shutting down|terminating connection", "the database is shutting down"),
    (r"server closed the connection|connection (was|is) (lost|closed)", "the connection was lost"),
    (r"is locked", "the database is locked"),
    (r"unable to open database file", "the database file cannot be opened"),
    (r"readonly database", "the database is read-only"),
    (r"disk is full|no space left", "the disk is full"),
    (r"not a database|malformed", "the database file is damaged"),
    (r"no such table|relation .* does not exist", _MISSING_TABLE),
)
