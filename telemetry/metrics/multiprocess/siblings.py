"""Siblings: the other workers of a service. Their last snapshots are remembered in case somebody removes the directory."""

import time
from pathlib import Path
from typing import Final

from telemetry.metrics.multiprocess.shared_values import SharedValues
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot
from telemetry.metrics.multiprocess.worker_files import snapshot_files

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
        """Note the workers that have a snapshot, and forget the content of files that no longer exist."""
        self._awaited = self._awaited | workers - {self._own_id}
        self._decoded.forget_missing()
        self._shared.forget_missing()

    def wait_for_files(self, live: set[str], timeout: float) -> None:
        """Wait until each live worker that had a snapshot has one. They write it again within a second if it was removed."""
        self._awaited &= live
        deadline = time.monotonic() + timeout
        while (missing := self._without_file()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._awaited -= missing  # one that hangs is waited for once

    def _without_file(self) -> set[str]:
        return self._awaited - snapshot_files(self._directory).keys() if self._awaited else set()

    def read(self, live: set[str]) -> tuple[dict[str, Snapshot], dict[str, Snapshot]]:
        """Read the snapshots, by worker id.

        Args:
            live: the ids of all live workers.

        Returns:
            Those of live workers, and those of dead ones, with what these have counted since.
        """
        found, dead = {}, {}
        for worker, path in snapshot_files(self._directory).items():
            if worker == self._own_id:
                continue
            snapshot = self._decoded.read(path)
            if worker not in live:
                snapshot = self._shared.complete(snapshot, path)
            if snapshot is not None:
                (found if worker in live else dead)[worker] = snapshot
        self._remembered = {worker: each for worker, each in self._remembered.items() if worker in live} | found
        return self._remembered, dead
