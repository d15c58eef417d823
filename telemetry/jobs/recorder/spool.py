"""The disk spool: keeps the unwritten runs of a process in files, so that they survive its death and a database outage.

An appended run is in the page cache at once, and so survives `kill -9`. Each process has its own files, which bear its id in
the registry. Another process replays those of a dead one into the database (`telemetry.jobs.recorder.recovery`). A run with a
start and no end was running when its process died. The starts of open runs are therefore copied from each file to the next.
"""

import errno
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.jobs.recorder.disk_reserve import DiskReserve
from telemetry.jobs.recorder.spool_codec import decode, encode, encode_database
from telemetry.jobs.run import JobRun
from telemetry.processes.registry import ProcessRegistry

MAX_SPOOL_BYTES: Final = 64 * 2**20
MAX_SEGMENT_BYTES: Final = 2**20
MAX_IDLE_BYTES: Final = 64 * 2**10
"""Limits of all files of a process; of one file, before the next one is started; of the last file when nothing is pending."""
END_ROOM: Final = 2048
"""Bytes that are set aside for the end of each run whose start is in the spool."""
MAX_CARRIED_RUNS: Final = 10_000
"""At most this many starts of open runs are copied from file to file."""
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

    def __init__(
        self,
        directory: Path,
        registry: ProcessRegistry,
        max_bytes: int = MAX_SPOOL_BYTES,
        segment: int = MAX_SEGMENT_BYTES,
        database: str = "",
    ) -> None:
        """`database` is the one that the runs are for, without credentials: each file begins with it."""
        self._database = encode_database(database) if database else b""
        self.max_bytes = max_bytes
        self._directory = directory
        self._registry = registry
        self._segment_size = segment
        self._open: dict[str, bytes] = {}
        self._open_bytes = 0
        self._with_room: set[str] = set()
        self._reserve = DiskReserve(directory)
        self._segments: deque[Segment] = deque()
        self._numbers = count()

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
        is_awaited = run.finished_at is not None and run.run_id in self._with_room
        line = self._fitting(run, line)
        segment = self._current_segment()
        position = self._write_end(segment, run, line) if is_awaited else self._write(segment, run, line)
        segment.pending += 1
        return position

    def _write(self, segment: Segment, run: JobRun, line: bytes) -> SpoolPosition:
        """Write a record without room of its own. A start is refused where there is no room for its end."""
        if run.finished_at is None:
            self._reserve.fit(END_ROOM * (len(self._with_room) + 1))
        position = SpoolPosition(segment, segment.write(line), len(line))
        if run.finished_at is None:
            self._with_room.add(run.run_id)
        return position

    def _write_end(self, segment: Segment, run: JobRun, line: bytes) -> SpoolPosition:
        """Write the end of a run whose start is in the spool: on a full disk a shorter one, in the space that is set aside."""
        try:
            position = SpoolPosition(segment, segment.write(line), len(line))
        except OSError:
            line = encode(run, END_ROOM)
            return SpoolPosition(segment, self._write_in_reserve(segment, line), len(line))
        with suppress(OSError):
            self._reserve.fit(END_ROOM * len(self._with_room))
        return position

    def _write_in_reserve(self, segment: Segment, line: bytes) -> int:
        while True:
            try:
                return segment.write(line)
            except OSError:
                if not self._reserve.give_back():
                    raise

    def _fitting(self, run: JobRun, line: bytes) -> bytes:
        """The line, or a shorter one for an end: the room for that is set aside when the run begins."""
        is_end, has_room = run.finished_at is not None, run.run_id in self._with_room
        self._with_room.discard(run.run_id)
        set_aside = END_ROOM * (len(self._with_room) + (not is_end))
        if self.size + len(line) + set_aside <= self.max_bytes:
            return line
        if is_end and has_room:
            return encode(run, END_ROOM)
        raise SpoolFull(errno.EDQUOT, f"the spool has reached its limit of {self.max_bytes // 2**20} MB")

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
        """Close the files, and delete them if no run is pending or open. Others are left for recovery."""
        finished = not self._open and not any(segment.pending for segment in self._segments)
        for segment in self._segments:
            if finished:
                segment.remove()
        self.abandon()

    def abandon(self) -> None:
        """Close the files without deleting them, such as those of a parent in its forked child."""
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._open.clear()
        self._with_room.clear()
        self._reserve.close()

    def _track_open(self, run: JobRun, line: bytes) -> None:
        if run.finished_at is not None:
            self._open_bytes -= len(self._open.pop(run.run_id, b""))
        elif len(self._open) < MAX_CARRIED_RUNS:
            self._open[run.run_id] = line
            self._open_bytes += len(line)

    def _current_segment(self) -> Segment:
        if not self._segments:
            private_files.make_directory(self._directory)
            self._segments.append(self._create_segment())
        elif self._segments[-1].size >= max(self._segment_size, 2 * self._open_bytes):
            self._rotate()
        return self._segments[-1]

    def _create_segment(self, carried: bytes = b"") -> Segment:
        process = self._registry.register()  # before its first file, so that no process takes it for dead
        segment = Segment(self._directory / f"{process.id}.{next(self._numbers):06}{SEGMENT_SUFFIX}")
        try:
            segment.write(self._database + carried)
        except OSError:
            segment.remove()
            raise
        return segment

    def _rotate(self) -> bool:
        """Start the next file with the starts of open runs, before an older file is deleted. False if the disk fails."""
        try:
            self._segments.append(self._create_segment(b"".join(self._open.values())))
        except OSError:
            return False
        return True
