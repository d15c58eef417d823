"""Collects the metrics of all workers of a service, dead ones included, whichever worker is scraped.

Each worker keeps a snapshot of its metrics in the workers' directory. It writes the snapshot every second if a metric has
changed, when another worker requests a refresh, and when it stops. The scraped worker requests a refresh from all others at
once, waits at most `REFRESH_TIMEOUT`, and reads the snapshots. So values are persisted before they are exposed, and a counter
never decreases when a worker is killed. While the disk is full, counters stay as they were written, on every worker's page.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from telemetry.failsafe import failsafe
from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess import worker_files
from telemetry.metrics.multiprocess.archive import Archive
from telemetry.metrics.multiprocess.merge import cumulative, merge
from telemetry.metrics.multiprocess.refresh import RefreshServer, request_refresh
from telemetry.metrics.multiprocess.restarts import WorkerRestarts
from telemetry.metrics.multiprocess.snapshot import DecodedFiles, Snapshot, replace_file
from telemetry.metrics.switch_interval import short_switch_interval
from telemetry.processes import forks
from telemetry.processes.registry import ProcessRegistry

REFRESH_TIMEOUT: Final = 0.3
WRITE_INTERVAL: Final = 1.0
SNAPSHOT_AGE: Final = "telemetry_worker_snapshot_age_seconds"


class MultiprocessCollector(forks.ForkAware):
    """One worker of several: it serves its own metrics to the others, and collects those of all."""

    def __init__(
        self,
        registry: ProcessRegistry,
        collect_own: Callable[[], list[Family]],
        has_changed: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
        count_ended: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        """Register the process and open the socket.

        Args:
            registry: tells whose worker this is, and which workers live.
            collect_own: collects this worker's own families.
            has_changed: tells whether this worker has measured anything since the previous call.
            clock: Unix time.
            count_ended: counts another worker that ended, by the reason.

        Raises:
            OSError: the directory cannot be used.
        """
        self._collect_own = collect_own
        self._has_changed = has_changed
        self._clock = clock
        self._registry = registry
        self._own = worker_files.WorkerFiles(registry)
        self._directory = self._own.directory
        self._archive = Archive(self._directory, clock)
        self._restarts = WorkerRestarts(self._directory, count_ended)
        self._snapshots = DecodedFiles(Snapshot.decode)
        self._snapshot_lock = threading.RLock()
        self._written = Snapshot(self._own.label, clock(), [])
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
        self._refresh()
        failsafe(self._own.mark_exited)()

    def collect(self) -> list[Family]:
        """Collect the families of the whole service; waits up to `REFRESH_TIMEOUT` for the other workers."""
        if self._is_child:
            return self._collect_own()
        others = self._registry.live_ids() - {self._own.id}
        pending = request_refresh(self._directory / f"{worker}.sock" for worker in others)
        own = self._write_snapshot()
        pending.wait(REFRESH_TIMEOUT)
        live, dead = self._read_others()
        return [*merge([own, *live], dead), self._snapshot_ages([own, *live])]

    def _read_others(self) -> tuple[list[Snapshot], list[Snapshot]]:
        """Snapshots of the live workers, and of the dead with the archive, which is read last (see `archive`)."""
        live_ids = self._registry.live_ids()
        found = {
            worker: self._snapshots.read(path)
            for worker, path in worker_files.snapshot_files(self._directory).items()
            if worker != self._own.id
        }
        archived, merged = self._archive.read()
        counted = {
            worker: snapshot for worker, snapshot in found.items() if snapshot is not None and worker not in archived
        }
        live = [snapshot for worker, snapshot in counted.items() if worker in live_ids]
        return live, [merged, *(snapshot for worker, snapshot in counted.items() if worker not in live_ids)]

    def _snapshot_ages(self, live: list[Snapshot]) -> Family:
        """The age of each live worker's snapshot: that of a hanging worker grows."""
        now = self._clock()
        series = {f'worker="{each.worker}"': max(0.0, round(now - each.taken_at, 3)) for each in live}
        return Family(SNAPSHOT_AGE, "gauge", "How old what is shown of a living worker is.", dict(series))

    def _write_snapshot(self) -> Snapshot:
        """Collect and write one snapshot at a time, so that an older one never replaces a newer one.

        Returns:
            What the other workers can read; with the gauges of now, which the disk need not keep.
        """
        with self._snapshot_lock, short_switch_interval():
            snapshot = Snapshot(self._own.label, self._clock(), self._collect_own())
            self._write(snapshot)
            return snapshot if self._written is snapshot else _with_gauges_of(snapshot, self._written)

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
                path.unlink(missing_ok=True)
        self._snapshots.forget_missing()


def _with_gauges_of(newer: Snapshot, written: Snapshot) -> Snapshot:
    persisted = {family.name for family in cumulative(newer.families)}
    gauges = [family for family in newer.families if family.name not in persisted]
    return Snapshot(written.worker, written.taken_at, [*cumulative(written.families), *gauges])
