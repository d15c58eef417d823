"""What watches the service during a soak, each in a thread of its own: probes, clients, a scraper, and the use of resources."""

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import psutil

from tests.soak.program import ERROR_SHARE, FAILING_ROUTE, LONG_JOB, SHORT_JOB, SoakedService
from tests.support.processes import Program
from tests.support.sandboxed_service import OPS_TOKEN
from tests.support.worker_consistency import Series, counters, workers

PROBES: Final = ("/livez", "/readyz", "/healthz", "/health")
PROBE_INTERVAL: Final = 0.5
SCRAPE_INTERVAL: Final = 2.0
USAGE_INTERVAL: Final = 5.0
# The path, the route's template, and how often.
_REQUESTS: Final = (
    ("/api/v1/reviews?limit=50", "/api/v1/reviews", 10),
    ("/api/v1/reviews?answered=false&marketplace=wb", "/api/v1/reviews", 5),
    ("/api/v1/orders?limit=50", "/api/v1/orders", 10),
    ("/jobs", "/jobs", 5),
    ("/jobs/status?limit=50", "/jobs/status", 5),
    (f"/jobs/stats/{SHORT_JOB}", "/jobs/stats/{job_name}", 3),
    (f"/jobs/stats/{LONG_JOB}", "/jobs/stats/{job_name}", 1),
    ("/alerts", "/alerts", 3),
    ("/openapi.json", "/openapi.json", 2),
    ("/api/v1/reviews/999999999", "/api/v1/reviews/{review_id}", 3),
    ("/nowhere", "unmatched", 3),
)
_HEADERS: Final = {"Authorization": f"Bearer {OPS_TOKEN}"}


@dataclass(frozen=True)
class Probe:
    """One answer. `status` is 0 if there was none. `stall` is how long this process was kept from running meanwhile."""

    path: str
    began: float
    seconds: float
    status: int
    stall: float


@dataclass
class Stalls:
    """How long this process was kept from running: a thread that sleeps for 20 ms at a time and looks when it wakes up."""

    stop: threading.Event
    found: list[tuple[float, float]] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            began = time.monotonic()
            time.sleep(0.02)
            if (late := time.monotonic() - began - 0.02) > 0.05:
                self.found.append((began, late))

    def between(self, began: float, ended: float) -> float:
        return sum(late for at, late in self.found[-200:] if began - late <= at <= ended)


@dataclass
class Prober:
    """Asks each probe, each time by a new connection, as a kubelet does."""

    service: Program
    stop: threading.Event
    stalls: Stalls
    probes: list[Probe] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.wait(PROBE_INTERVAL):
            for path in PROBES:
                self.probes.append(self._ask(path))

    def _ask(self, path: str) -> Probe:
        began = time.monotonic()
        try:
            with httpx.Client(trust_env=False, timeout=10, verify=False) as client:  # noqa: S501  # loopback, and no TLS
                status = client.get(self.service.url + path).status_code
        except httpx.TransportError:
            status = 0
        ended = time.monotonic()
        return Probe(path, began, ended - began, status, self.stalls.between(began, ended))


@dataclass
class Client:
    """Sends mixed requests. `answered` counts them by route and status."""

    service: Program
    stop: threading.Event
    seed: int
    pause: float = 0.15
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    answered_at: list[tuple[float, tuple[str, str]]] = field(default_factory=list)
    unanswered: int = 0

    def run(self) -> None:
        chance = random.Random(self.seed)
        paths = [(path, route) for path, route, weight in _REQUESTS for _ in range(weight)]
        with httpx.Client(base_url=self.service.url, trust_env=False, timeout=20, headers=_HEADERS) as client:
            while not self.stop.wait(chance.uniform(0, 2 * self.pause)):
                path, route = chance.choice(paths)
                if chance.random() < ERROR_SHARE:
                    path = route = FAILING_ROUTE
                self._send(client, path, route)

    def _send(self, client: httpx.Client, path: str, route: str) -> None:
        try:
            answer = client.get(path)
        except httpx.TransportError:  # its worker was killed
            self.unanswered += 1
            return
        what = (route, str(answer.status_code))
        self.answered[what] += 1
        self.answered_at.append((time.monotonic(), what))


@dataclass
class Scraper:
    """Scrapes `/metrics`; `fell` are the counters that were ever lower than before, and when."""

    service: Program
    stop: threading.Event
    seen: dict[Series, float] = field(default_factory=dict)
    fell: list[tuple[float, str]] = field(default_factory=list)
    scrapes: int = 0
    failed: list[tuple[float, str]] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.wait(SCRAPE_INTERVAL):
            self.scrape()

    def scrape(self) -> None:
        try:
            answer = self.service.get("/metrics", timeout=20, **_HEADERS)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self.failed.append((time.monotonic(), repr(error)))
            return
        found = counters(answer.text)
        self.scrapes += 1
        fell = {key: (value, found.get(key)) for key, value in self.seen.items() if found.get(key, -1) < value}
        if fell:
            key, values = next(iter(fell.items()))
            self.fell.append((time.monotonic(), f"{len(fell)} of {len(self.seen)}, such as {key}: {values}"))
        self.seen = {key: max(value, self.seen.get(key, 0)) for key, value in {**self.seen, **found}.items()}

    def total(self, name: str, **labels: str) -> float:
        """The sum of the newest values of a counter, of the series with these labels."""
        wanted = set(labels.items())
        return sum(value for (each, pairs), value in self.seen.items() if each == name and wanted <= set(pairs))


@dataclass(frozen=True)
class Usage:
    """What a process uses at a moment. `age` is in seconds since it was first seen."""

    at: float
    age: float
    rss: float
    descriptors: int
    threads: int


@dataclass
class UsageWatch:
    """Looks at the parent and at each worker, and counts the files on the service's disk."""

    running: SoakedService
    disk: Path
    stop: threading.Event
    by_pid: dict[int, list[Usage]] = field(default_factory=dict)
    files: list[tuple[float, float]] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    @property
    def is_machine_busy(self) -> bool:
        """Whether others had more of it than the service, so that times say nothing about the service."""
        return median(self.loads or [0.0]) > 2 * (os.cpu_count() or 1)

    def run(self) -> None:
        while not self.stop.wait(USAGE_INTERVAL):
            self.look()

    def save(self, path: Path) -> None:
        """A line for each look at a process."""
        lines = [
            f"{pid}\t{each.at:.0f}\t{each.age:.0f}\t{each.rss:.1f}\t{each.descriptors}\t{each.threads}\n"
            for pid, found in self.by_pid.items()
            for each in found
        ]
        path.write_text("pid\tat\tage\tMiB\tdescriptors\tthreads\n" + "".join(lines))

    def look(self) -> None:
        now = time.monotonic()
        for process in (psutil.Process(self.running.service.process.pid), *workers(self.running.service)):
            try:
                with process.oneshot():
                    rss, descriptors = process.memory_info().rss / 2**20, process.num_fds()
                    threads = process.num_threads()
            except psutil.Error:  # it has just been killed
                continue
            found = self.by_pid.setdefault(process.pid, [])
            began = found[0].at if found else now
            found.append(Usage(now, now - began, rss, descriptors, threads))
        self.files.append((now, sum(1 for each in self.disk.rglob("*") if each.is_file())))
        self.loads.append(psutil.getloadavg()[0])
