"""The processes of the service on this machine: memory, processor, and the age of their numbers."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import psutil

from telemetry.console.pages.live import live_series
from telemetry.console.view import View
from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess.collector import SNAPSHOT_AGE
from telemetry.processes.registry import live_processes

_MIN_INTERVAL: Final = 1.0


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """A process.

    Attributes:
        role: `worker` for one that serves requests with others, else `main` or `child`.
        memory: resident, in bytes; None where the process cannot be read.
        cpu: how much of one processor it has used since the previous look, else since its start; 1.0 is all of it.
        age: of its numbers, in seconds; None for a process alone, whose numbers are read as they are.
    """

    pid: int
    role: str
    memory: int | None
    cpu: float | None
    started: float | None
    age: float | None


class _CpuTimes:
    """The processor time of processes at the previous look, of whichever page."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._seen: dict[tuple[int, float], tuple[float, float, float]] = {}

    def share(self, pid: int, started: float, used: float) -> float:
        now, key = time.time(), (pid, started)
        with self._guard:
            then, before, share = self._seen.get(key, (started, 0.0, 0.0))
            if now - then >= _MIN_INTERVAL:
                share = max(0.0, used - before) / (now - then)
                self._seen = {
                    **{k: v for k, v in self._seen.items() if psutil.pid_exists(k[0])},
                    key: (now, used, share),
                }
            return share


_cpu_times = _CpuTimes()


def read_processes(view: View, ages: Mapping[str, float]) -> list[ProcessFacts]:
    """The live processes of the data directory, the oldest first.

    Args:
        view: the look.
        ages: of the numbers of each worker, by its name on `/metrics`.
    """
    entries = [entry for entry in live_processes(view.telemetry.settings.data_dir) if entry.pid]
    found = [_facts(entry.pid, entry.role, ages.get(str(entry.slot))) for entry in entries]
    return sorted(found, key=lambda each: (each.started or 0.0, each.pid))


def _facts(pid: int, role: str, age: float | None) -> ProcessFacts:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times, started = process.cpu_times(), process.create_time()
            cpu = _cpu_times.share(pid, started, times.user + times.system)
            return ProcessFacts(pid, role, process.memory_info().rss, cpu, started, age)
    except psutil.Error:  # it has ended just now, or is one of another container
        return ProcessFacts(pid, role, None, None, None, age)


def snapshot_ages(families: Iterable[Family]) -> dict[str, float]:
    """The ages of the workers' numbers by their slots, from the families of all of them."""
    return {each.labels["worker"]: each.value for each in live_series(families, SNAPSHOT_AGE)}
