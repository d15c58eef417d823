"""Space that is set aside on the disk for the ends of runs, in a file without a name, which the system frees with its process."""

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

STEP: Final = 64 * 2**10
"""The space grows in such steps, and is given back to a disk that has room again."""
BLOCK: Final = 4096
"""What is given back to a full disk at once: little, since others may write to it at this moment."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskReserve:
    """Where the system cannot set space aside, there is no reserve, and nothing else is different."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = -1
        self.size = 0

    def fit(self, size: int) -> None:
        """Set aside at least so many bytes, and not many more.

        Raises:
            OSError: the disk is full. What is set aside stays.
        """
        wanted = -(-size // STEP) * STEP
        if self.size < size:
            self._grow(wanted, size)
        elif self.size > 2 * wanted:
            self._shrink(wanted)

    def _grow(self, wanted: int, needed: int) -> None:
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            self._open()
            self._allocate(wanted, needed)
        except OSError as error:
            if error.errno in _FULL:
                raise

    def _allocate(self, wanted: int, needed: int) -> None:
        try:
            os.posix_fallocate(self._file, 0, wanted)
        except OSError:
            self._shrink(self.size)  # some systems leave what they had allocated before the disk was full
            wanted = -(-needed // BLOCK) * BLOCK
            os.posix_fallocate(self._file, 0, wanted)
        self.size = wanted

    def _open(self) -> None:
        if self._file < 0:
            with tempfile.TemporaryFile(dir=self._directory) as file:
                self._file = os.dup(file.fileno())

    def give_back(self) -> bool:
        """Give a block back to the disk. False if nothing is set aside."""
        if not self.size:
            return False
        self._shrink(max(0, self.size - BLOCK))
        return True

    def _shrink(self, size: int) -> None:
        self.size = size
        with suppress(OSError):
            os.ftruncate(self._file, size)

    def close(self) -> None:
        file, self._file, self.size = self._file, -1, 0
        if file >= 0:
            os.close(file)
