"""Space that is set aside on the disk for the ends of runs, in a file without a name, which the system frees with its process."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

STEP: Final = 64 * 2**10
"""The space grows, and is given back, in such steps."""


class DiskReserve:
    """Where the disk or the system sets nothing aside, there is no reserve, and nothing else is different.

    Attributes:
        is_short: whether some of it was given back, and the disk has not had so much again since.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = -1
        self._size = 0
        self.is_short = False

    def grow(self, size: int) -> None:
        """Set aside at least so many bytes, if the disk has them."""
        wanted = -(-size // STEP) * STEP
        if wanted <= self._size or not hasattr(os, "posix_fallocate"):
            return
        with suppress(OSError):
            self._open()
            os.posix_fallocate(self._file, 0, wanted)
            self._size = wanted
            self.is_short = False

    def _open(self) -> None:
        if self._file < 0:
            with tempfile.TemporaryFile(dir=self._directory) as file:
                self._file = os.dup(file.fileno())

    def give_back(self) -> bool:
        """Give a step back to the disk. False if nothing is set aside."""
        if not self._size:
            return False
        self._size -= STEP
        self.is_short = True
        with suppress(OSError):
            os.ftruncate(self._file, self._size)
        return True

    def close(self) -> None:
        file, self._file, self._size = self._file, -1, 0
        if file >= 0:
            os.close(file)
