"""Siblings: the other workers of a service. Their last snapshots are remembered in case somebody removes the directory."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from telemetry.metrics.multiprocess.shared_values import SharedValues
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot
from telemetry.metrics.multiprocess.worker_files import has_files, snapshot_files

_POLL_SECONDS: Final = 0.02


class Siblings:
    """The snapshots of the other workers, live and dead ones."""

    def __init__(self, directory: Path, own_id: str, shared: SharedValues) -> None:
        self._directory = directory
        self._own_id = own_id
        self._shared = shared
        self._decoded = DecodedFiles(Snapshot.decode)
        self._remembered: dict[str, Snapshot] = {}
        self._awaited: set[str] = set()

    def note(self, workers: set[str]) -> None:
        """Note the workers that have their files, and forget the content of files that no longer exist."""
        self._await(workers - {self._own_id})
        self._decoded.forget_missing()
        self._shared.forget_missing()

    def wait_for_files(self, live: set[str], deadline: float) -> None:
        """Wait until each live worker has the files that it had. It makes them again within a second if they were removed.

        Args:
            live: the ids of all live workers.
            deadline: by the monotonic clock. One that hangs is waited for once.
        """
        self._awaited &= live
        while (missing := self.without_files()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._awaited -= missing

    def _await(self, workers: Iterable[str]) -> None:
        self._awaited |= {worker for worker in workers if has_files(self._directory, worker)}

    def without_files(self) -> set[str]:
        """The workers that had a snapshot and a socket, and lack one of them; not those that have ended in order."""
        return {worker for worker in self._awaited if not has_files(self._directory, worker)}

    def read(self, live: set[str]) -> tuple[dict[str, Snapshot], dict[str, Snapshot]]:
        """Read the snapshots, by worker id.

        Args:
            live: the ids of all live workers.

        Returns:
            Those of live workers, and those of dead ones, with what these have counted since.
        """
        found: dict[str, Snapshot] = {}
        dead: dict[str, Snapshot] = {}
        for worker, path in snapshot_files(self._directory).items():
            if worker == self._own_id:
                continue
            snapshot = self._decoded.read(path)
            if worker not in live:
                snapshot = self._shared.complete(snapshot, path)
            if snapshot is not None:
                (found if worker in live else dead)[worker] = snapshot
        self._await(found)
        self._remembered = {worker: each for worker, each in self._remembered.items() if worker in live} | found
        return self._remembered, dead
