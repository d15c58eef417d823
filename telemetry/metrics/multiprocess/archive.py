"""The archive: one file with the merged metrics of all dead workers, however many there were.

Readers need no lock. The archive still names a snapshot long after the snapshot's file is removed, and readers read the archive
last. So each snapshot counts exactly once, at any moment of a read.
"""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from telemetry.metrics.measuring import shared_file
from telemetry.metrics.multiprocess.merge import cumulative, merge
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot, replace_file
from telemetry.metrics.multiprocess.worker_files import end_reason, numbers_file
from telemetry.processes.file_lock import FileLock

TOMBSTONE_SECONDS: Final = 60.0
"""How long the archive names a snapshot whose file is removed: longer than any read takes."""
_NAME: Final = "archive"
NO_WORKER: Final = ""
Complete = Callable[[Snapshot | None, Path], Snapshot | None]
"""Adds to the last snapshot of a dead worker, which may be missing, what it has counted since; takes the snapshot's path."""


class Archive:
    """The archive of one workers' directory."""

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], float] = time.time,
        complete: Complete = lambda snapshot, _path: snapshot,
    ) -> None:
        self._path = directory / _NAME
        self._lock = directory / f"{_NAME}.lock"
        self._clock = clock
        self._complete = complete
        self._decoded = DecodedFiles(_decode)
        self._newest: tuple[dict[str, float], Snapshot] = ({}, Snapshot(NO_WORKER, 0.0, []))

    def read(self) -> tuple[dict[str, float], Snapshot]:
        """Read the archive; what was read last if somebody has removed the file.

        Returns:
            The Unix time at which each worker was archived, by worker id, and their merged metrics.
        """
        found = self._decoded.read(self._path)
        if found is not None and found[1].taken_at >= self._newest[1].taken_at:
            self._newest = found
        return self._newest

    def _is_behind(self) -> bool:
        """Whether the file is missing, or is older than what this worker has read."""
        found = self._decoded.read(self._path)
        return self._newest[1].taken_at > (found[1].taken_at if found is not None else 0.0)

    def restore(self) -> None:
        """Write the file again that somebody has removed. Of several workers the one with the newest content wins."""
        if self._is_behind() and (lock := FileLock.acquire(self._lock)) is not None:
            with closing(lock):
                if self._is_behind():
                    self._write(*self._newest)

    def absorb(self, snapshots: dict[str, Path], is_dead: Callable[[str], bool]) -> dict[str, str]:
        """Merge the snapshots of dead workers into the archive and remove their files.

        Args:
            snapshots: the snapshot files, by worker id.
            is_dead: tells by its id whether a worker is dead; asked while the archive is locked.

        Returns:
            How each worker ended that was added, with a snapshot or without, by worker id; nothing if another process holds the lock.
        """
        if (lock := FileLock.acquire(self._lock)) is None:
            return {}
        with closing(lock):
            dead = {worker: path for worker, path in snapshots.items() if is_dead(worker)}
            added = self._write_with(dead) if dead else {}
            for path in dead.values():
                path.unlink(missing_ok=True)
                shared_file.remove(numbers_file(path))
            return added

    def _write_with(self, dead: dict[str, Path]) -> dict[str, str]:
        archived, before = self.read()
        found = _decode_files((worker, path) for worker, path in dead.items() if worker not in archived)
        new = {worker: self._complete(snapshot, dead[worker]) for worker, snapshot in found}
        if not new:
            return {}
        reasons = {worker: end_reason(dead[worker]) for worker in new}
        now = max(self._clock(), before.taken_at)
        tombstones = {
            worker: archived_at
            for worker, archived_at in archived.items()
            if worker in dead or now - archived_at < TOMBSTONE_SECONDS
        }
        snapshots = [before, *(snapshot for snapshot in new.values() if snapshot is not None)]
        merged = Snapshot(NO_WORKER, now, cumulative(merge([], snapshots)))
        self._write(tombstones | dict.fromkeys(new, now), merged)
        return reasons

    def _write(self, archived: dict[str, float], merged: Snapshot) -> None:
        replace_file(self._path, json.dumps(archived).encode() + b"\n" + merged.encode())
        self._newest = archived, merged


def _decode(data: bytes) -> tuple[dict[str, float], Snapshot]:
    header, _, body = data.partition(b"\n")
    return json.loads(header), Snapshot.decode(body)


def _decode_files(paths: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, Snapshot | None]]:
    """None for a snapshot that cannot be decoded: its worker ended before it wrote one, or has another version."""
    for worker, path in paths:
        try:
            yield worker, Snapshot.decode(path.read_bytes())
        except FileNotFoundError:
            continue
        except ValueError:
            yield worker, None
