"""Collects the metrics of all workers of a service, dead ones included, whichever worker is scraped.

Each worker keeps a snapshot of its metrics in the workers' directory. It writes the snapshot every second if a metric has
changed, when another worker requests a refresh, and when it stops. The scraped worker requests a refresh from all others at
once, waits at most `REFRESH_TIMEOUT`, and reads the snapshots. So values are persisted before they are exposed, and a counter
never decreases when a worker is killed; what it has measured since its last snapshot is in a file of its own (`shared_values`).
While the disk is full, counters stay as they were written, on every worker's page.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from telemetry import private_files
from telemetry.failsafe import failsafe
from telemetry.metrics.families import Family
from telemetry.metrics.measuring import shared_file
from telemetry.metrics.multiprocess import worker_files
from telemetry.metrics.multiprocess.archive import Archive
from telemetry.metrics.multiprocess.merge import cumulative, merge
from telemetry.metrics.multiprocess.refresh import RefreshServer, request_refresh
from telemetry.metrics.multiprocess.restarts import WorkerRestarts
from telemetry.metrics.multiprocess.shared_values import SharedValues
from telemetry.metrics.multiprocess.siblings import Siblings
from telemetry.metrics.multiprocess.snapshot import Snapshot, replace_file
from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry

REFRESH_TIMEOUT: Final = 0.3
WRITE_INTERVAL: Final = 1.0
RESTORE_TIMEOUT: Final = 2.5 * WRITE_INTERVAL
SNAPSHOT_AGE: Final = "telemetry_worker_snapshot_age_seconds"
_log = logging.getLogger(__name__)


class MultiprocessCollector(forks.ForkAware):
    """One worker of several: it serves its own metrics to the others, and collects those of all."""

    def __init__(
        self,
        registry: ProcessRegistry,
        collect_own: Callable[[], list[Family]],
        has_changed: Callable[[], bool] = lambda: True,
        count_ended: Callable[[str], None] = lambda _reason: None,
        shared: SharedValues | None = None,
    ) -> None:
        """Register the process and open the socket.

        Args:
            registry: tells whose worker this is, and which workers live.
            collect_own: collects this worker's own families.
            has_changed: tells whether this worker has measured anything since the previous call.
            count_ended: counts another worker that ended, by the reason.
            shared: what the workers have counted since their last snapshots.

        Raises:
            OSError: the directory cannot be used.
        """
        self._collect_own = collect_own
        self._has_changed = has_changed
        self._registry = registry
        self._own = worker_files.WorkerFiles(registry)
        self._directory = self._own.directory
        self._shared = shared or SharedValues(None, lambda _metrics: [])
        self._archive = Archive(self._directory, complete=self._shared.complete)
        self._restarts = WorkerRestarts(self._directory, count_ended)
        self._siblings = Siblings(self._directory, self._own.id, self._shared)
        self._snapshot_lock = threading.RLock()
        self._written = Snapshot(self._own.label, time.time(), [])
        self._stop = threading.Event()
        self._refresh_server = RefreshServer(self._own.socket_path, self._refresh)
        self._thread = threading.Thread(target=self._run, name="metrics-snapshot", daemon=True)
        self._is_child = False
        forks.register(self)

    def restart_in_child(self) -> None:
        """The files are the parent's, and so are most of the measurements: a child shows itself alone."""
        self._is_child = True
        self._refresh_server.abandon()

    def start(self) -> None:
        """Write the first snapshot and start the threads."""
        self._restore()
        self._refresh()
        self._refresh_server.start()
        self._thread.start()

    def stop(self) -> None:
        """Write the last snapshot. Later measurements are lost."""
        if self._is_child:
            return
        self._stop.set()
        self._refresh_server.stop()
        if self._thread.is_alive():
            self._thread.join(WRITE_INTERVAL)
        written = self._written
        self._refresh()
        if self._written is not written:  # else what is shared has to stay for the others
            self._shared.close(self._own.snapshot_path)
        failsafe(self._own.mark_exited)()

    def collect(self) -> list[Family]:
        """Collect the families of the whole service; waits up to `REFRESH_TIMEOUT` for the other workers."""
        if self._is_child:
            return self._collect_own()
        deadline = time.monotonic() + RESTORE_TIMEOUT
        families = self._collect_all(deadline)
        while (
            self._siblings.without_files() and time.monotonic() < deadline
        ):  # somebody is removing them: what was read of them may be old
            families = self._collect_all(deadline)
        return families

    def _collect_all(self, deadline: float) -> list[Family]:
        self._restore()
        self._siblings.wait_for_files(worker_files.live_members(self._registry.data_dir, self._directory), deadline)
        others = self._registry.live_ids() - {self._own.id}
        pending = request_refresh(self._directory / f"{worker}.sock" for worker in others)
        own = self._write_snapshot()
        pending.wait(REFRESH_TIMEOUT)
        live, dead = self._read_others()
        return [*merge([own, *live], dead), self._snapshot_ages([own, *live])]

    def _read_others(self) -> tuple[list[Snapshot], list[Snapshot]]:
        """Snapshots of the live workers, and of the dead with the archive, which is read last (see `archive`)."""
        live, dead = self._siblings.read(self._registry.live_ids())
        archived, merged = self._archive.read()
        return (
            [snapshot for worker, snapshot in live.items() if worker not in archived],
            [merged, *(snapshot for worker, snapshot in dead.items() if worker not in archived)],
        )

    def _snapshot_ages(self, live: list[Snapshot]) -> Family:
        """The age of each live worker's snapshot: that of a hanging worker grows."""
        now = time.time()
        series = {f'worker="{each.worker}"': max(0.0, round(now - each.taken_at, 3)) for each in live}
        return Family(SNAPSHOT_AGE, "gauge", "How old what is shown of a living worker is.", dict(series))

    def _write_snapshot(self) -> Snapshot:
        """Collect and write one snapshot at a time, so that an older one never replaces a newer one.

        Returns:
            What the other workers can read; with the gauges of now, which the disk need not keep.
        """
        with self._snapshot_lock, short_switch_interval():
            snapshot = Snapshot(self._own.label, time.time(), self._collect_own())
            self._write(snapshot)
            return snapshot if self._written is snapshot else _with_gauges_of(snapshot, self._written)

    @failsafe
    def _restore(self) -> None:
        """Make again what somebody has removed, or what could not be made so far. Each worker does it within a second."""
        with self._snapshot_lock:
            if self._stop.is_set():
                return
            if not self._directory.exists():
                private_files.make_directory(self._directory)
                _log.warning("%s was removed while workers use it. They write it again.", self._directory)
            self._shared.keep(self._own.snapshot_path)
            with suppress(OSError):  # the directory cannot be written: other workers read what is there
                self._archive.restore()
                if not self._refresh_server.is_open():
                    self._refresh_server.reopen()
            if not self._own.snapshot_path.exists():
                self._refresh()

    @failsafe
    def _refresh(self) -> None:
        self._write_snapshot()

    @failsafe
    def _write(self, snapshot: Snapshot) -> None:
        try:
            replace_file(self._own.snapshot_path, snapshot.encode())
        except FileNotFoundError:  # the directory is gone: no other worker can show anything of this one
            self._written = snapshot
            raise
        self._written = snapshot

    def _run(self) -> None:
        while not self._stop.wait(WRITE_INTERVAL):
            self._restore()
            if self._has_changed():
                self._refresh()
            self._archive_dead()

    @failsafe
    def _archive_dead(self) -> None:
        """Archive the snapshots of dead workers and remove their other files. Any worker may do it first."""
        found, transient = worker_files.snapshot_files(self._directory), worker_files.transient_files(self._directory)
        live_ids = self._registry.live_ids()  # read last: a worker that started meanwhile has no file in `found`
        if found.keys() - live_ids:
            self._restarts.record(self._archive.absorb(found, lambda worker: worker not in self._registry.live_ids()))
        for worker, path in transient:
            if worker not in live_ids:
                shared_file.remove(path)
        self._siblings.forget_missing()
        self._archive.read()  # in case that somebody removes it


def _with_gauges_of(newer: Snapshot, written: Snapshot) -> Snapshot:
    persisted = {family.key for family in cumulative(newer.families)}
    gauges = [family for family in newer.families if family.key not in persisted]
    return Snapshot(written.worker, written.taken_at, [*cumulative(written.families), *gauges])
