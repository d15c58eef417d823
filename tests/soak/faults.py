"""Makes the faults of a soak: kills, outages of the database, a clock that is set, a disk that is full."""

import os
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from tests.soak.plan import Event
from tests.support.killable_postgres import KillablePostgres
from tests.support.processes import Program, eventually
from tests.support.set_clock import MachineClock, PostgresClock
from tests.support.worker_consistency import workers

DISK_MB: Final = 192
_BLOCK: Final = bytes(1 << 20)


@contextmanager
def small_disk(path: Path) -> Generator[bool]:
    """A disk of its own at `path`; False if only the administrator may mount one, and `path` is a directory of the big disk."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "soak", str(path)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(path)], check=False)


@dataclass
class Faults:
    """Makes each fault when it is due, and keeps when that was.

    Attributes:
        made: by the monotonic clock.
        killed: the pids of killed workers.
    """

    service: Program
    postgres: KillablePostgres
    machine_clock: MachineClock
    disk: Path | None
    made: list[tuple[float, Event]] = field(default_factory=list)
    killed: dict[int, float] = field(default_factory=dict)
    _stopped: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._postgres_clock = PostgresClock(create_engine(self.postgres.url, poolclass=NullPool))
        self._clocks_set = 0

    def make(self, event: Event) -> None:
        self.made.append((time.monotonic(), event))
        {
            "kill": self._kill,
            "database killed": self._kill_database,
            "database hangs": self._hang_database,
            "database back": self._return_database,
            "clock": lambda: self._set_clock(event.value),
            "disk full": self._fill_disk,
            "disk free": self._free_disk,
        }[event.what]()

    def times(self, what: str) -> list[float]:
        return [at for at, event in self.made if event.what == what]

    def _kill(self) -> None:
        """Kill the younger worker: the other one is looked at over the whole run."""
        found = sorted(eventually(lambda: found if len(found := workers(self.service)) > 1 else None), key=_age)
        victim = found[-1]
        self.killed[victim.pid] = time.monotonic()
        victim.kill()

    def _kill_database(self) -> None:
        self.postgres.kill()

    def _hang_database(self) -> None:
        self._stopped = self.postgres.processes()
        for process in self._stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def _return_database(self) -> None:
        if not self._stopped:
            self.postgres.start()
        for process in self._stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self._stopped = []

    def _set_clock(self, seconds: float) -> None:
        """The first time, the database has the machine's clock. The second time it has another one, which stays right."""
        if self._clocks_set < 2:
            self._postgres_clock.set(seconds, self.machine_clock)
        else:
            self.machine_clock.set(seconds)
        self._clocks_set += 1

    def _fill_disk(self) -> None:
        if self.disk is None:
            return
        with suppress(OSError), (self.disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(_BLOCK)
        with suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as filler:
            while True:
                filler.write(b"0")

    def _free_disk(self) -> None:
        if self.disk is not None:
            (self.disk / "filler").unlink(missing_ok=True)


def _age(process: psutil.Process) -> float:
    return process.create_time()
