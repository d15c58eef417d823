"""The disk spool: keeps the unwritten runs of a process in files, so that they survive its death and a database outage.

An appended run is in the page cache at once, and so survives `kill -9`. Each process has its own files and holds a lock on
them while it lives. A free lock means that the process is dead; another process then replays the files into the database
(`telemetry.jobs.recorder.recovery`). A run with a start and no end was running when its process died. The starts of open runs
are therefore copied from each file to the next.
"""

import errno
import fcntl
import os
import uuid
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.jobs.recorder.spool_codec import decode, encode
from telemetry.jobs.run import JobRun

MAX_SPOOL_BYTES: Final = 64 * 2**20
MAX_SEGMENT_BYTES: Final = 2**20
MAX_IDLE_BYTES: Final = 64 * 2**10
"""Limits of all files of a process; of one file, before the next one is started; of the last file when nothing is pending."""
MAX_CARRIED_RUNS: Final = 10_000
"""At most this many starts of open runs are copied from file to file."""
LOCK_SUFFIX: Final = ".lock"
SEGMENT_SUFFIX: Final = ".runs"


class SpoolFull(OSError):
    """The spool of this process has reached its limit."""


class Segment:
    """One spool file; `pending` is how many of its lines are not in the database yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.size = self.pending = 0

    def write(self, lines: bytes) -> int:
        """Append all of the lines or none. Returns the offset of the first one.

        Raises:
            OSError: the disk is full or unavailable.
        """
        # Not taken from `size`: an interrupt may have ended the last write before `size` was updated.
        offset = os.lseek(self.file, 0, os.SEEK_END)
        try:
            written = os.write(self.file, lines)
        except OSError:
            self._truncate(offset)
            raise
        if written < len(lines):
            self._truncate(offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size = offset + written
        return offset

    def _truncate(self, size: int) -> None:
        with suppress(OSError):
            os.ftruncate(self.file, size)

    def close(self) -> None:
        file, self.file = self.file, -1
        with suppress(OSError):
            os.close(file)

    def remove(self) -> None:
        self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class SpoolPosition:
    """Where a run is in the spool; offset and length in bytes."""

    segment: Segment
    offset: int
    length: int


class Spool:
    """The spool of this process. Not thread-safe, except for `read`. Creates nothing on the disk before the first run."""

    def __init__(self, directory: Path, max_bytes: int = MAX_SPOOL_BYTES, segment: int = MAX_SEGMENT_BYTES) -> None:
        self.id = uuid.uuid4().hex
        self.max_bytes = max_bytes
        self._directory = directory
        self._segment_size = segment
        self._open: dict[str, bytes] = {}
        self._open_bytes = 0
        self._segments: deque[Segment] = deque()
        self._numbers = count()
        self._lock: int | None = None

    @property
    def size(self) -> int:
        """The size of all files, in bytes."""
        return sum(segment.size for segment in tuple(self._segments))

    def append(self, run: JobRun) -> SpoolPosition:
        """Append a run to the newest file. Returns its position.

        Raises:
            SpoolFull: the spool has reached its limit.
            OSError: the disk is full, or the directory cannot be used.
        """
        line = encode(run)
        self._track_open(run, line)
        if self.size + len(line) > self.max_bytes:
            raise SpoolFull(errno.EDQUOT, f"the spool has reached its limit of {self.max_bytes // 2**20} MB")
        segment = self._current_segment()
        position = SpoolPosition(segment, segment.write(line), len(line))
        segment.pending += 1
        return position

    def read(self, position: SpoolPosition) -> JobRun | None:
        """Read a run back; None if the disk cannot be read."""
        try:
            return decode(os.pread(position.segment.file, position.length, position.offset))
        except (OSError, ValueError):
            return None

    def acknowledge(self, position: SpoolPosition) -> list[Segment]:
        """Note that the run is in the database, or given up.

        Returns:
            The files that are no longer needed; the caller removes them in this order.
        """
        position.segment.pending -= 1
        finished = []
        while len(self._segments) > 1 and not self._segments[0].pending:
            finished.append(self._segments.popleft())
        last = self._segments[-1]
        if not last.pending and last.size > max(MAX_IDLE_BYTES, 2 * self._open_bytes) and self._rotate():
            finished.append(self._segments.popleft())
        return finished

    def close(self) -> None:
        """Release the spool; delete its files if no run is pending or open. Other files are left for recovery."""
        finished = not self._open and not any(segment.pending for segment in self._segments)
        for segment in self._segments:
            if finished:
                segment.remove()
        if finished and self._lock is not None:
            with suppress(OSError):
                self._lock_path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the files and the lock without deleting them.

        A forked child calls this for the files of its parent, so that the lock ends with the parent.
        """
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._open.clear()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    @property
    def _lock_path(self) -> Path:
        return self._directory / f"{self.id}{LOCK_SUFFIX}"

    def _track_open(self, run: JobRun, line: bytes) -> None:
        if run.finished_at is not None:
            self._open_bytes -= len(self._open.pop(run.run_id, b""))
        elif len(self._open) < MAX_CARRIED_RUNS:
            self._open[run.run_id] = line
            self._open_bytes += len(line)

    def _current_segment(self) -> Segment:
        if self._lock is None:
            self._lock = create_lock(self._directory, self._lock_path)
        if not self._segments:
            self._segments.append(self._create_segment())
        elif self._segments[-1].size >= max(self._segment_size, 2 * self._open_bytes):
            self._rotate()
        return self._segments[-1]

    def _create_segment(self) -> Segment:
        return Segment(self._directory / f"{self.id}.{next(self._numbers):06}{SEGMENT_SUFFIX}")

    def _rotate(self) -> bool:
        """Start the next file with the starts of open runs, before an older file is deleted. False if the disk fails."""
        try:
            segment = self._create_segment()
        except OSError:
            return False
        try:
            segment.write(b"".join(self._open.values()))
        except OSError:
            segment.remove()
            return False
        self._segments.append(segment)
        return True


def create_lock(directory: Path, path: Path) -> int:
    """Create a lock file and lock it. It gets its name only then, so that no process finds it unlocked.

    Returns:
        The file descriptor; the lock is held while it is open.

    Raises:
        OSError: the directory or the file cannot be created.
    """
    private_files.make_directory(directory)
    unfinished = path.with_suffix(".new")
    lock = os.open(unfinished, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unfinished.rename(path)
    except OSError:
        os.close(lock)
        raise
    return lock


def try_lock(path: Path) -> int | None:
    """Lock an existing lock file without waiting.

    Returns:
        The file descriptor; None if another process holds the lock, or the file is gone.
    """
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_nlink:
            return lock
    except OSError:  # another process holds it
        pass
    os.close(lock)
    return None
