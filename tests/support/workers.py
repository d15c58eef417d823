"""Several workers of one service within one process. Their locks, sockets and files are real."""

from itertools import count
from pathlib import Path

import pytest

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import HistogramValue
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.snapshot import Snapshot
from telemetry.metrics.multiprocess.worker_files import WorkerFiles
from telemetry.processes.registry import ProcessRegistry

BOUNDS = (0.1, 1.0)


def registered(data_dir, group):
    """A process of a group."""
    registry = ProcessRegistry(data_dir)
    registry.join(group)
    return registry


def _registry(directory):
    return registered(directory.parent.parent, directory.name)


class Worker:
    """A worker with metrics of its own. `kill` leaves what a killed process leaves: files without locks."""

    def __init__(self, directory):
        self.requests, self.active, self.changed = 0, 0, False
        self.registry = _registry(directory)
        self.collector = MultiprocessCollector(self.registry, self.collect, self.has_changed)

    def start(self):
        self.collector.start()
        return self

    def collect(self):
        seconds = HistogramValue(BOUNDS, [self.requests, 0, 0], 0.05 * self.requests)
        return [
            Family("requests_total", "counter", "Requests.", {'path="/"': self.requests}),
            Family("seconds", "histogram", "Seconds.", histograms={"": seconds}),
            Family("active", "gauge", "Active.", {"": self.active}),
            Family("last_success", "gauge", "Last.", {"": self.requests * 10}, gauge_mode="highest"),
            Family("info", "gauge", "Info.", {'version="1"': 1}, gauge_mode="once"),
        ]

    def has_changed(self):
        changed, self.changed = self.changed, False
        return changed

    def serve(self, requests):
        self.requests += requests
        self.changed = True

    def scrape(self):
        """The families of all workers, by name."""
        return {family.name: family for family in self.collector.collect()}

    def total(self):
        return self.scrape()["requests_total"].series['path="/"']

    def stop(self):
        self.collector.stop()
        self.registry.release()

    def kill(self):
        self.collector._stop.set()
        self.collector._refresh_server.stop()
        if self.collector._thread.is_alive():
            self.collector._thread.join(5)
        self.registry.release()


def dead_worker(directory, requests):
    """The id of a killed worker, which has left its snapshot."""
    registry = _registry(directory)
    files = WorkerFiles(registry)
    families = [Family("requests_total", "counter", "Requests.", {'path="/"': requests})]
    files.snapshot_path.write_bytes(Snapshot(files.label, 1.0, families).encode())
    registry.release()
    return files.id


class DiskAccess:
    """Within `with`, calls `act` just before the nth access to the disk."""

    def __init__(self, nth, act):
        self.accesses, self._nth, self._act = 0, nth, act
        self._patch = pytest.MonkeyPatch()

    def __enter__(self):
        for name in ("glob", "open", "read_bytes", "rename", "unlink"):
            self._patch.setattr(Path, name, self._counted(getattr(Path, name)))
        return self

    def __exit__(self, *_):
        self._patch.undo()

    def _counted(self, method):
        def counted(path, *args, **kwargs):
            self.accesses += 1
            if self.accesses == self._nth:
                self._act()
            return method(path, *args, **kwargs)

        return counted


def at_each_disk_access(act):
    """Contexts that call `act` before the first access to the disk, before the second and so on, until there are no more."""
    for nth in count(1):
        disk = DiskAccess(nth, act)
        yield disk
        if disk.accesses < nth:
            assert nth > 5  # there were that many, or the code under test does not use the disk
            return
