"""The ledger of this process: what each job and route has used, and the rest as idle time."""

import threading
from time import monotonic, process_time
from typing import Final

import psutil

from telemetry.costs import account
from telemetry.costs.account import PENDING, CostTotal
from telemetry.costs.prices import CPU, MEMORY, OPENAI, STORAGE
from telemetry.processes import forks

JOB: Final = "job"
ROUTE: Final = "route"
SERVICE: Final = "service"
KINDS: Final = (JOB, ROUTE, SERVICE)
IDLE: Final = "idle"
"""The name of the CPU time of the process that no job and no route has used: the event loop, the telemetry, start and stop."""
PROCESSES: Final = "processes"
"""The name of the memory of the processes."""
OTHER: Final = "other"
MAX_NAMES: Final = 1000
"""Of one kind. What has a further name is `other`."""
Key = tuple[str, str]
"""Kind and name."""
UsageKey = tuple[str, str, str]
"""Resource, kind and name."""


class CostLedger(forks.ForkAware):
    """The totals by kind and name. They never fall."""

    def __init__(self) -> None:
        self._totals: dict[Key, CostTotal] = {}
        self._lock = threading.RLock()
        self._idle = 0.0
        self._byte_seconds: dict[UsageKey, float] = {}
        self._memory_read_at = monotonic()

    def total(self, kind: str, name: str) -> CostTotal:
        """The total of a job or a route, which whoever measures it adds to."""
        if (known := self._totals.get((kind, name))) is not None:
            return known
        with self._lock:
            is_full = len(self._totals) >= MAX_NAMES * len(KINDS)
            return self._totals.setdefault((kind, OTHER if is_full else name), CostTotal())

    def cpu_seconds(self) -> dict[Key, float]:
        """The CPU seconds of each name, and of idle time: together those of the process, but for requests under way."""
        account.settle()
        used = process_time()
        named = {key: each.cpu_seconds for key, each in self._totals.copy().items()}
        self._idle = max(self._idle, used - sum(named.values()) - PENDING.cpu_seconds)
        return {**named, (SERVICE, IDLE): self._idle}

    def usage(self) -> dict[UsageKey, float]:
        """All that was used so far: CPU seconds, bytes times seconds of memory and storage, US dollars of OpenAI."""
        self._read_memory()
        cpu = {(CPU, *key): seconds for key, seconds in self.cpu_seconds().items()}
        charged = {(OPENAI, *key): each.charged_usd for key, each in self._totals.copy().items() if each.charged_usd}
        return {**cpu, **self._byte_seconds.copy(), **charged}

    def add_storage(self, name: str, byte_seconds: float) -> None:
        """Only one of the processes that share the files adds them."""
        self._add((STORAGE, SERVICE, name), byte_seconds)

    def _read_memory(self) -> None:
        """The memory now counts for the time since it was last read."""
        with self._lock:
            since, self._memory_read_at = self._memory_read_at, monotonic()
            seconds = self._memory_read_at - since
        self._add((MEMORY, SERVICE, PROCESSES), psutil.Process().memory_info().rss * seconds)

    def _add(self, key: UsageKey, amount: float) -> None:
        with self._lock:
            self._byte_seconds[key] = self._byte_seconds.get(key, 0.0) + amount

    def restart_in_child(self) -> None:
        account.restart_in_child()
        self._lock = threading.RLock()
        self._idle, self._memory_read_at = 0.0, monotonic()
        self._byte_seconds.clear()
        for each in self._totals.values():
            each.cpu_seconds = each.charged_usd = 0.0


LEDGER: Final = CostLedger()
forks.register(LEDGER)
