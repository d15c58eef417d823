"""Siblings: the other workers of a service. Their last snapshots are remembered in case somebody removes the directory."""

import time
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
        self._given_up: set[str] = set()

    def forget_missing(self) -> None:
        """Drop the content of files that no longer exist."""
        self._decoded.forget_missing()
        self._shared.forget_missing()

    def wait_for_files(self, members: set[str], deadline: float) -> None:
        """Wait until each has its snapshot and its socket. It makes them again within a second if they were removed.

        Args:
            members: the ids of the live workers.
            deadline: by the monotonic clock. One that has none then is not waited for again, until it has them.
        """
        self._given_up = {worker for worker in self._given_up & members if not has_files(self._directory, worker)}
        self._awaited = members - self._given_up - {self._own_id}
        while (missing := self.without_files()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._awaited -= missing
        self._given_up |= missing

    def without_files(self) -> set[str]:
        """Those waited for that lack a file now; not those that have ended in order."""
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
        self._remembered = {worker: each for worker, each in self._remembered.items() if worker in live} | found
        return self._remembered, dead
