"""Private: files and directories that are for the service's own user, whatever the process's umask is."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077


def make_directory(path: Path) -> None:
    """Make it and what is missing above it. What is there already stays as somebody has made it.

    Raises:
        OSError: it cannot be made.
    """
    for each in (*reversed(path.parents), path):
        if not each.exists():
            each.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    path.mkdir(exist_ok=True)  # says what is wrong when something else is there


def make_file(path: Path) -> None:
    """Make it, empty, if it is not there: who writes to it afterwards leaves it as private as it is.

    It is never opened: closing a file takes from the process all POSIX locks that it has on it, and so from SQLite those by which others
    know that the database is in use; the next one who left would remove the log under it (sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OSError: it cannot be made.
    """
    try:
        os.mknod(path, stat.S_IFREG | FILE_MODE)
    except FileExistsError:
        return
    except OSError:  # systems on which only root may do that: nobody can have locks on what was not there
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))


def accessible_to_others(directories: Iterable[Path]) -> Iterator[Path]:
    """What others than the user may read or write: of the directories themselves, and of what is in them."""
    for directory in directories:
        for each in (directory, *directory.rglob("*")):
            try:
                found = each.lstat()
            except OSError:
                continue  # it has gone, or is not to be seen even by us
            is_dir = stat.S_ISDIR(found.st_mode)
            if (is_dir or stat.S_ISREG(found.st_mode)) and found.st_mode & _OTHERS:
                yield each
