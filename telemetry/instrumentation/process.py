"""Observable metrics of the process, the application and its machine: read at each collection, free in between."""

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import psutil
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from telemetry import semconv
from telemetry.processes import forks

_USED: Final = "used"
Observe = Callable[[CallbackOptions], Iterable[Observation]]


class ResourceReader(Protocol):
    """The used shares of disk and memory, 0 to 1, as the health checks see them."""

    def filesystems(self) -> Mapping[str, float]: ...
    def memory(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Application:
    """The attributes of `app.info`."""

    version: str
    environment: str


def observe_application(meter: Meter, application: Application, clock: Callable[[], float] = time.monotonic) -> None:
    started = clock()
    attributes = {semconv.VERSION: application.version, semconv.ENVIRONMENT: application.environment}
    meter.create_observable_gauge(
        semconv.APP_UPTIME,
        [_observe_value(lambda: clock() - started)],
        "s",
        "Seconds since the process began to serve.",
    )
    meter.create_observable_gauge(
        semconv.APP_INFO,
        [_observe_value(lambda: 1, attributes)],
        "1",
        "Version and environment of the process; always 1.",
    )


def observe_resources(meter: Meter, resources: ResourceReader) -> None:
    def filesystems(_options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(used, {semconv.FILESYSTEM_PATH: path, semconv.FILESYSTEM_STATE: _USED})
            for path, used in resources.filesystems().items()
        ]

    meter.create_observable_gauge(
        semconv.FILESYSTEM_UTILIZATION, [filesystems], "1", "Share of a filesystem that is used."
    )
    meter.create_observable_gauge(
        semconv.MEMORY_UTILIZATION,
        [_observe_value(resources.memory, {semconv.MEMORY_STATE: _USED})],
        "1",
        "Share of memory that is used.",
    )


def observe_process(meter: Meter) -> None:
    """Observe CPU, memory, threads, file descriptors and garbage collections: a dozen series, under a millisecond.

    With the instruments and units of OpenTelemetry's semantic conventions. opentelemetry-instrumentation-system-metrics 0.66
    costs the same, and keeps them for the memory only: it has `type` for `cpu.mode`, no units for threads and descriptors, the
    old name of the latter, and no start time.
    """

    def cpu(_options: CallbackOptions) -> Iterable[Observation]:
        times = _process().cpu_times()
        return [
            Observation(times.user, {semconv.CPU_MODE: "user"}),
            Observation(times.system, {semconv.CPU_MODE: "system"}),
        ]

    meter.create_observable_counter(semconv.PROCESS_CPU_TIME, [cpu], "s", "CPU time of the process.")
    sums: Mapping[str, tuple[Callable[[], float], str, str]] = {
        semconv.PROCESS_MEMORY_USAGE: (lambda: _process().memory_info().rss, "By", "Resident memory."),
        semconv.PROCESS_MEMORY_VIRTUAL: (lambda: _process().memory_info().vms, "By", "Virtual memory."),
        semconv.PROCESS_THREADS: (lambda: _process().num_threads(), "{thread}", "Threads."),
        semconv.PROCESS_OPEN_FDS: (lambda: _process().num_fds(), "{file_descriptor}", "Open file descriptors."),
    }
    for name, (read, unit, description) in sums.items():
        meter.create_observable_up_down_counter(name, [_observe_value(read)], unit, description)
    meter.create_observable_gauge(
        semconv.PROCESS_START_TIME,
        [_observe_value(lambda: _process().create_time())],
        "s",
        "When the process started, as Unix time.",
    )
    meter.create_observable_counter(
        semconv.GC_COLLECTIONS, [_collections], "{collection}", "Garbage collections, by generation."
    )


@lru_cache(1)
def _process_of(pid: int) -> psutil.Process:
    return psutil.Process(pid)


def _process() -> psutil.Process:
    """This process, also in a forked child."""
    return _process_of(forks.current_process())


def _collections(_options: CallbackOptions) -> Iterable[Observation]:
    return [
        Observation(generation["collections"], {semconv.GC_GENERATION: number})
        for number, generation in enumerate(gc.get_stats())
    ]


def _observe_value(read: Callable[[], float], attributes: Mapping[str, str] | None = None) -> Observe:
    return lambda _options: [Observation(read(), attributes)]
