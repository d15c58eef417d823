"""The archive: what workers that are gone have measured, in one file, however many they were.

Nobody who reads needs a lock: a snapshot that has been taken into the archive is named in it until long after its file is gone,
and the archive is read last. So each snapshot counts once, at whatever moment somebody looks.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from telemetry.metrics.multiprocess.merge import cumulative, merge
from telemetry.metrics.multiprocess.snapshot import Decoded, Snapshot, replace_file

MAX_REMEMBERED_WORKERS: Final = 60.0
"""Seconds that the archive names a snapshot whose file is gone: nobody takes that long to read."""
_NAME: Final = "archive"
NO_WORKER: Final = ""


class Archive:
    def __init__(self, directory: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = directory / _NAME
        self._lock = directory / f"{_NAME}.lock"
        self._clock = clock
        self._decoded = Decoded(_decode)

    def read(self) -> tuple[dict[str, float], Snapshot]:
        """When each worker was taken into it, by its id, and what they have measured together."""
        return self._decoded.of(self._path) or ({}, Snapshot(NO_WORKER, 0.0, []))

    def take(self, snapshots: dict[str, Path], is_gone: Callable[[str], bool]) -> int:
        """Take in the snapshots of those who are gone, and remove their files. How many; 0 when somebody else is at it."""
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return 0
            gone = {worker: path for worker, path in snapshots.items() if is_gone(worker)}
            taken = self._add(gone) if gone else 0
            for path in gone.values():
                path.unlink(missing_ok=True)
            return taken

    def _add(self, gone: dict[str, Path]) -> int:
        known, before = self.read()
        new = {worker: snapshot for worker, snapshot in _read(gone.items()) if worker not in known}
        if not new:
            return 0
        now = self._clock()
        names = {worker: at for worker, at in known.items() if worker in gone or now - at < MAX_REMEMBERED_WORKERS}
        together = Snapshot(NO_WORKER, now, cumulative(merge([], [before, *new.values()])))
        head = json.dumps(names | dict.fromkeys(new, now)).encode()
        replace_file(self._path, head + b"\n" + together.encode())
        return len(new)


def _decode(data: bytes) -> tuple[dict[str, float], Snapshot]:
    head, _, body = data.partition(b"\n")
    return json.loads(head), Snapshot.decode(body)


def _read(paths: Iterable[tuple[str, Path]]) -> Iterable[tuple[str, Snapshot]]:
    for worker, path in paths:
        try:
            yield worker, Snapshot.decode(path.read_bytes())
        except (FileNotFoundError, ValueError):
            continue
