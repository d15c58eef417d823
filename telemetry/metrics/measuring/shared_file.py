"""A file of numbers that outlive their process: it is mapped into memory, so that writing a number is one store of 8 bytes.

The store is there when the process is killed at the next instruction (not when the power fails). The file is in `/dev/shm`,
which is memory, and there is a link to it: a store into a page of a disk waits for that disk each time that the page was
written back, and would block the event loop when it hangs. Where there is no such place, the file is where the link would be.

The file is allocated as a whole before it is mapped: a store into a hole of a full disk would end the process by SIGBUS. It
is filled with records, each a JSON document with its numbers. A record counts from the moment that `used` includes it.
"""

import json
import mmap
import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

SIZE: Final = 1 << 20
"""Bytes: enough for the durations of 2,000 kinds of requests, which is the limit of an instrument."""
MAX_DOCUMENT: Final = 4096
ORPHAN_AGE: Final = 60.0
"""Seconds."""
MEMORY: Final = Path("/dev/shm")  # noqa: S108  # only the owner may read what is in it
_PREFIX: Final = "telemetry-numbers-"
_MAGIC: Final = b"numbers\x01"
_USED_AT: Final = len(_MAGIC)
_INTEGER: Final = struct.Struct("=q")
_LENGTHS: Final = struct.Struct("=qq")  # of the document in bytes, and the number of its numbers
_START: Final = _USED_AT + _INTEGER.size
_CELL: Final = 8


class SharedFile:
    """The file as its process writes it."""

    def __init__(self, path: Path) -> None:
        """Make the file, in the place of a former one.

        Raises:
            OSError: there is no room, or the directory is missing or read-only.
        """
        remove(path)
        self._path = path
        try:
            self._create(MEMORY / f"{_PREFIX}{path.stem}")
        except OSError:
            self._create(path)

    def _create(self, file: Path) -> None:
        """Create the file and the link to it; or neither."""
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
            self._map = mmap.mmap(descriptor, SIZE)
            self._identity = _identity(os.fstat(descriptor))
            self._begin()
            if file != self._path:
                self._path.symlink_to(file)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)

    def _begin(self) -> None:
        """The first record says where the link is."""
        self._cells = memoryview(self._map).cast("d")
        self._commit(_START)
        self.append(json.dumps(str(self._path)).encode(), ())
        self._map[: len(_MAGIC)] = _MAGIC

    def is_in_place(self) -> bool:
        """False if somebody has removed, replaced or truncated the file."""
        try:
            return _identity(self._path.stat()) == self._identity
        except OSError:
            return False

    def append(self, document: bytes, numbers: Sequence[float]) -> "memoryview[float] | None":
        """Add a record. One caller at a time.

        Returns:
            The cells of its numbers; None if there is no room.
        """
        padded = document.ljust(_padded(len(document)))
        begin = self._used + _LENGTHS.size + len(padded)
        end = begin + _CELL * len(numbers)
        if len(document) > MAX_DOCUMENT or end > SIZE:
            return None
        self._map[self._used : begin] = _LENGTHS.pack(len(document), len(numbers)) + padded
        cells = self._cells[begin // _CELL : end // _CELL]
        for index, number in enumerate(numbers):
            cells[index] = number
        self._commit(end)
        return cells

    def _commit(self, used: int) -> None:
        self._used = used
        _INTEGER.pack_into(self._map, _USED_AT, used)


def records(data: bytes) -> Iterator[tuple[Any, Sequence[float]]]:
    """The records of a file: the documents with their numbers.

    Raises:
        ValueError: this is no such file, or one of another version.
    """
    return islice(_records(data), 1, None)


def _records(data: bytes) -> Iterator[tuple[Any, Sequence[float]]]:
    if len(data) < _START or not data.startswith(_MAGIC):
        raise ValueError("no file of numbers")
    [used] = _INTEGER.unpack_from(data, _USED_AT)
    at, end = _START, min(used, len(data))  # shorter than it says if somebody has truncated it
    while at + _LENGTHS.size <= end:
        length, number = _LENGTHS.unpack_from(data, at)
        at += _LENGTHS.size
        cells = at + _padded(length)
        if length < 0 or number < 0 or cells + _CELL * number > end:
            return
        yield json.loads(data[at : at + length]), struct.unpack_from(f"={number}d", data, cells)
        at = cells + _CELL * number


def remove(path: Path) -> None:
    """Remove a file, and the link to it."""
    with suppress(OSError):  # no link
        if _is_ours(file := path.readlink()):
            file.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def remove_orphans() -> None:
    """Remove the files in memory to which no link leads: somebody has removed a directory.

    A new one may be without its link because another process is just making it. Should the process of an older one live, which
    is seen by nobody here, it makes another file within a second.
    """
    for file in MEMORY.glob(f"{_PREFIX}*"):
        with suppress(OSError, ValueError):  # of another user
            if abs(time.time() - file.stat().st_ctime) < ORPHAN_AGE:
                continue
            with file.open("rb") as opened:
                link, _ = next(_records(opened.read(_START + _LENGTHS.size + MAX_DOCUMENT)), ("", ()))
            if not (Path(link).is_symlink() and Path(link).readlink() == file):
                file.unlink(missing_ok=True)


def _is_ours(file: Path) -> bool:
    return file.parent == MEMORY and file.name.startswith(_PREFIX)


def _padded(length: int) -> int:
    return -(-length // _CELL) * _CELL


def _identity(found: os.stat_result) -> tuple[int, int, bool]:
    return found.st_dev, found.st_ino, found.st_size >= SIZE
