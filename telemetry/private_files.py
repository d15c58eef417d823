"""Creates files and directories that only their owner may access, whatever the process's umask."""

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
    """Create a directory and its missing parents. Existing ones keep their mode.

    Raises:
        OSError: the directory cannot be created.
    """
    for each in (*reversed(path.parents), path):
        if not each.exists():
            each.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
    path.mkdir(exist_ok=True)  # raises if the path is no directory


def make_file(path: Path) -> None:
    """Create an empty file if it does not exist. Later writers keep its mode.

    An existing file is never opened. Closing a file drops all POSIX locks that the process has on it, SQLite's among them;
    another process could then take the database for unused and remove its log (sqlite.org/howtocorrupt.html, 2.2).

    Raises:
        OSError: the file cannot be created.
    """
    try:
        os.mknod(path, stat.S_IFREG | FILE_MODE)
    except FileExistsError:
        return
    except OSError:  # only root may use mknod on some systems; a file that did not exist has no locks
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, FILE_MODE))


def accessible_to_others(directories: Iterable[Path]) -> Iterator[Path]:
    """Find the directories, and the files and directories within them, that other users may access."""
    for directory in directories:
        for each in (directory, *directory.rglob("*")):
            try:
                found = each.lstat()
            except OSError:
                continue  # removed meanwhile, or not accessible to this user either
            is_dir = stat.S_ISDIR(found.st_mode)
            if (is_dir or stat.S_ISREG(found.st_mode)) and found.st_mode & _OTHERS:
                yield each
