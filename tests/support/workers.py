"""Siblings: workers of one service in one process. Their locks, sockets and files are as real as those of processes."""

from itertools import count
from pathlib import Path

import pytest

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import HistogramValue
from telemetry.metrics.multiprocess import membership
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.snapshot import Snapshot

BOUNDS = (0.1, 1.0)


class Worker:
    """A worker's own numbers, and its place among the others. It dies as a killed process does: its locks are gone."""

    def __init__(self, directory):
        self.requests, self.active, self.changed = 0, 0, False
        self.workers = MultiprocessCollector(directory, self.collect, self.has_changed)

    def start(self):
        self.workers.start()
        return self

    def collect(self):
        seconds = HistogramValue(BOUNDS, [self.requests, 0, 0], 0.05 * self.requests)
        return [
            Family("requests_total", "counter", "Requests.", {'path="/"': self.requests}),
            Family("seconds", "histogram", "Seconds.", distributions={"": seconds}),
            Family("active", "gauge", "Active.", {"": self.active}),
            Family("last_success", "gauge", "Last.", {"": self.requests * 10}, across="highest"),
            Family("info", "gauge", "Info.", {'version="1"': 1}, across="once"),
        ]

    def has_changed(self):
        changed, self.changed = self.changed, False
        return changed

    def serve(self, requests):
        self.requests += requests
        self.changed = True

    def page(self):
        return {family.name: family for family in self.workers.families()}

    def total(self):
        return self.page()["requests_total"].series['path="/"']

    def die(self):
        self.workers._stop.set()
        self.workers._answering.stop()
        if self.workers._thread.is_alive():
            self.workers._thread.join(5)
        self.workers._place.leave()


def one_that_is_gone(directory, requests):
    """The snapshot of a worker that was killed."""
    place = membership.WorkerSlot.take(directory)
    numbers = [Family("requests_total", "counter", "Requests.", {'path="/"': requests})]
    place.snapshot.write_bytes(Snapshot(str(place.number), 1.0, numbers).encode())
    place.leave()
    return place.id


class Disk:
    """Does something at a moment: just before somebody touches the disk for the nth time, inside `with`."""

    def __init__(self, moment, act):
        self.touched, self._moment, self._act = 0, moment, act
        self._patch = pytest.MonkeyPatch()

    def __enter__(self):
        for name in ("glob", "open", "read_bytes", "rename", "unlink"):
            self._patch.setattr(Path, name, self._watched(getattr(Path, name)))
        return self

    def __exit__(self, *_):
        self._patch.undo()

    def _watched(self, method):
        def watched(path, *args, **kwargs):
            self.touched += 1
            if self.touched == self._moment:
                self._act()
            return method(path, *args, **kwargs)

        return watched


def at_each_moment(act):
    """A disk on which it is done at the first moment, one for the second and so on, until there are no more."""
    for moment in count(1):
        disk = Disk(moment, act)
        yield disk
        if disk.touched < moment:
            assert moment > 5  # there were that many, or who uses this looks at nothing
            return
