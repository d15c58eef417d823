"""MultiprocessCollector: whichever of them is asked, the page is that of the whole service, of the living and of the gone.

Each worker keeps its snapshot in the group's directory: each second when something has changed, when another one asks, and at
its end. A worker that makes a page asks all others at once to renew theirs, waits no longer than the deadline, and reads what is
there. So what a page shows is on the disk before it is shown, and stays counted whatever happens to whoever counted it.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from telemetry.failsafe import failsafe
from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess import membership
from telemetry.metrics.multiprocess.archive import Archive
from telemetry.metrics.multiprocess.merge import merge
from telemetry.metrics.multiprocess.refresh import RefreshServer, request_refresh
from telemetry.metrics.multiprocess.snapshot import Decoded, Snapshot, replace_file
from telemetry.metrics.switch_interval import short_switch_interval

REFRESH_TIMEOUT: Final = 0.3
WRITE_INTERVAL: Final = 1.0
MAX_AGE: Final = "telemetry_worker_snapshot_age_seconds"
_log = logging.getLogger(__name__)


class MultiprocessCollector:
    """One worker among its siblings. `collect` gives its own families; `changed` whether it measured since it was asked last."""

    def __init__(
        self,
        directory: Path,
        collect: Callable[[], list[Family]],
        changed: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises:
        OSError: the group's directory cannot be used.
        """
        self._directory = directory
        self._collect = collect
        self._changed = changed
        self._clock = clock
        self._place = membership.WorkerSlot.take(directory)
        self._archive = Archive(directory, clock)
        self._snapshots = Decoded(Snapshot.decode)
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._answering = RefreshServer(self._place.socket, self._renew)
        self._thread = threading.Thread(target=self._keep, name="metrics-snapshot", daemon=True)

    def start(self) -> None:
        self._renew()
        self._answering.start()
        self._thread.start()

    def stop(self) -> None:
        """The last snapshot, and the place is free. What is measured afterwards is lost."""
        self._stop.set()
        self._answering.stop()
        if self._thread.is_alive():
            self._thread.join(WRITE_INTERVAL)
        self._renew()
        self._place.leave()

    def families(self) -> list[Family]:
        """The whole service's."""
        mine = self._place.id
        waiting = request_refresh([self._directory / f"{worker}.sock" for worker in self._living() if worker != mine])
        own = self._renewed()
        waiting.wait(REFRESH_TIMEOUT)
        alive, gone = self._others()
        return [*merge([own, *alive], gone), self._ages([own, *alive])]

    def _others(self) -> tuple[list[Snapshot], list[Snapshot]]:
        """The snapshots of the living, and of the gone with what the archive holds: read last, see there."""
        living = set(self._living())
        found = {
            worker: self._snapshots.of(path)
            for worker, path in membership.snapshots(self._directory).items()
            if worker != self._place.id
        }
        archived, together = self._archive.read()
        counted = {
            worker: snapshot for worker, snapshot in found.items() if snapshot is not None and worker not in archived
        }
        alive = [snapshot for worker, snapshot in counted.items() if worker in living]
        return alive, [together, *(snapshot for worker, snapshot in counted.items() if worker not in living)]

    def _ages(self, living: list[Snapshot]) -> Family:
        """How old what is shown of each worker is: one that hangs grows old."""
        now = self._clock()
        series = {f'worker="{each.worker}"': max(0.0, round(now - each.at, 3)) for each in living}
        return Family(MAX_AGE, "gauge", "How old what is shown of a living worker is.", dict(series))

    def _living(self) -> list[str]:
        return list(membership.live_workers(self._directory))

    def _renewed(self) -> Snapshot:
        """Take a snapshot and keep it: one after the other, so that no older one follows a newer one."""
        with self._one_at_a_time, short_switch_interval():
            snapshot = Snapshot(str(self._place.number), self._clock(), self._collect())
            self._write(snapshot)
            return snapshot

    @failsafe
    def _renew(self) -> None:
        self._renewed()

    @failsafe
    def _write(self, snapshot: Snapshot) -> None:
        replace_file(self._place.snapshot, snapshot.encode())

    def _keep(self) -> None:
        while not self._stop.wait(WRITE_INTERVAL):
            if self._changed():
                self._renew()
            self._tidy()

    @failsafe
    def _tidy(self) -> None:
        """What the gone have left is taken into the archive, by whoever comes first."""
        found, others = membership.snapshots(self._directory), membership.other_files(self._directory)
        living = {*self._living(), self._place.id}  # looked at last: who has come meanwhile has no file among those
        if found.keys() - living:
            self._archive.take(found, lambda worker: worker != self._place.id and worker not in self._living())
        for worker, path in others:
            if worker not in living:
                path.unlink(missing_ok=True)
        self._snapshots.forget_missing()


def collector_of_this_process(
    data_dir: Path, collect: Callable[[], list[Family]], changed: Callable[[], bool]
) -> MultiprocessCollector | None:
    """The workers that this process is one of; None when it is alone, or the directory cannot be used, which is said."""
    parent = membership.parent_of_workers()
    if parent is None:
        return None
    try:
        membership.remove_stale_directories(data_dir)
        return MultiprocessCollector(membership.directory_of(data_dir, parent), collect, changed)
    except OSError as error:
        _log.warning(
            "/metrics shows this worker alone: %s cannot be used (%s).", data_dir, os.strerror(error.errno or 0)
        )
        return None
