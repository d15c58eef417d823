"""Parts of a page that need something which may be unavailable: the rest of the page is shown without them."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from telemetry.console.database_reads import DATABASE_READS, NoAnswer
from telemetry.console.page_definition import Refused
from telemetry.error_text import safe_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What a part of a page shows, or, in `problem`, why it cannot be shown now."""

    value: T
    problem: str = ""


def make_change(subject: str, change: Callable[[], T]) -> T:
    """Change something that needs a database or a file.

    Raises:
        Refused: it is unavailable. `subject` begins the sentence.
    """
    try:
        return change()
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise Refused(f"{subject} cannot be changed now: {safe_text(error)}. Try again later.") from error


def read_part(subject: str, read: Callable[[], T], otherwise: T, *, from_database: bool = False) -> Part[T]:
    """Read a part. Without its database or file it has the value `otherwise`, and a sentence.

    Args:
        subject: begins the sentence, such as `Job runs`.
        read: reads it, within two seconds.
        otherwise: what is shown without it.
        from_database: `read` waits for the application's database, which may hang; the page then waits for a few seconds alone.
    """
    try:
        return Part(DATABASE_READS.read(read) if from_database else read())
    except (SQLAlchemyError, sqlite3.Error, OSError, NoAnswer) as error:
        reason = str(error) if isinstance(error, NoAnswer) else safe_text(error)
        return Part(otherwise, f"{subject} cannot be read now: {reason}. The page tries again by itself.")
