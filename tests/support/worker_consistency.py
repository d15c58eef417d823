"""Compares what a client received from several workers with what `/metrics` says, while workers are killed or hang."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import Program

PATHS: Final = ("/health", "/jobs/stats/nobody", "/nowhere")
ENDPOINTS: Final = {"/health": "/health", "/jobs/stats/nobody": "/jobs/stats/{job_name}", "/nowhere": "unmatched"}
Series = tuple[str, tuple[tuple[str, str], ...]]


def workers(service: Program) -> list[psutil.Process]:
    """The live workers, without zombies."""
    return [child for child in psutil.Process(service.process.pid).children() if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "resource_tracker" not in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it has just ended
        return False


def counters(page: str) -> dict[Series, float]:
    """Every series that must not decrease, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        if family.type in {"counter", "histogram"}
        for sample in family.samples
    }


@dataclass
class Client:
    """Sends requests until it is stopped, and counts them and the responses."""

    service: Program
    stop: threading.Event
    pause: float = 0.0
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)

    def run(self) -> None:
        with httpx.Client(base_url=self.service.url, trust_env=False, timeout=20) as client:
            number = 0
            while not self.stop.is_set():
                number += 1
                path = PATHS[number % len(PATHS)]
                self.sent[ENDPOINTS[path]] += 1
                try:
                    response = client.get(path)
                except httpx.TransportError:  # its worker was killed in the middle
                    time.sleep(0.01)
                    continue
                self.answered[ENDPOINTS[path], str(response.status_code)] += 1
                time.sleep(self.pause)


@dataclass
class Scraper:
    """Scrapes until it is stopped; `decreased` are series that were lower than any scraper had seen them before."""

    service: Program
    stop: threading.Event
    seen: dict[Series, float]
    lock: threading.Lock
    scrapes: int = 0
    longest_seconds: float = 0.0
    decreased: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            self.scrape()
            time.sleep(0.1)

    def scrape(self) -> None:
        """Scrape once: no value may be lower than one that was seen before the request."""
        with self.lock:
            before = dict(self.seen)
        began = time.monotonic()
        try:
            page = self.service.get("/metrics", timeout=20).text
        except httpx.TransportError:
            return
        self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        self.scrapes += 1
        found = counters(page)
        self.decreased += [
            f"{key}: {before[key]} -> {found.get(key)}" for key in before if found.get(key, -1) < before[key]
        ]
        with self.lock:
            for key, value in found.items():
                self.seen[key] = max(value, self.seen.get(key, 0))


@dataclass
class ConsistencyCheck:
    """One client and two scrapers, while workers are disturbed."""

    service: Program
    pause: float = 0.0
    kills: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        seen: dict[Series, float] = {}
        lock = threading.Lock()
        self.client = Client(self.service, self.stop, self.pause)
        self.scrapers = [Scraper(self.service, self.stop, seen, lock) for _ in range(2)]

    def run(
        self, seconds: float, disturb: Callable[["ConsistencyCheck", random.Random], None] | None, interval: float
    ) -> None:
        self.stop.clear()
        threads = [threading.Thread(target=each.run) for each in (self.client, *self.scrapers)]
        for thread in threads:
            thread.start()
        chance, end = random.Random(7), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(interval)
            if disturb is not None:
                disturb(self, chance)
        self.stop.set()
        for thread in threads:
            thread.join(30)

    def counted(self) -> dict[tuple[str, str], int]:
        """What `/metrics` says of the client's requests, by endpoint and status."""
        found = counters(self.service.get("/metrics", timeout=20).text)
        wanted = set(ENDPOINTS.values())
        return {
            (dict(labels)["endpoint"], dict(labels)["status"]): int(value)
            for (name, labels), value in found.items()
            if name == "http_requests_total" and dict(labels)["endpoint"] in wanted
        }

    def missing(self, counted: dict[tuple[str, str], int]) -> int:
        """The number of responses that the client received and `/metrics` does not count."""
        return sum(max(0, number - counted.get(key, 0)) for key, number in self.client.answered.items())

    def never_sent(self, counted: dict[tuple[str, str], int]) -> int:
        """The number of requests that `/metrics` counts beyond those that the client sent."""
        found: Counter[str] = Counter()
        for (endpoint, _), number in counted.items():
            found[endpoint] += number
        return sum(max(0, number - self.client.sent[endpoint]) for endpoint, number in found.items())

    def surplus(self, counted: dict[tuple[str, str], int]) -> int:
        """The number of responses that `/metrics` counts and the client did not receive."""
        return sum(max(0, number - self.client.answered[key]) for key, number in counted.items())

    @property
    def decreased(self) -> list[str]:
        return [each for scraper in self.scrapers for each in scraper.decreased]


def kill_one(check: ConsistencyCheck, chance: random.Random) -> None:
    found = workers(check.service)
    if len(found) > 1:
        victim = chance.choice(found)
        check.kills.append(time.monotonic())
        victim.send_signal(signal.SIGKILL)


def hang_one(check: ConsistencyCheck, chance: random.Random) -> None:
    """Stop a worker for a second, less than its parent takes for death."""
    if not (found := workers(check.service)):
        return  # all workers are being replaced
    victim = chance.choice(found)
    with suppress(psutil.NoSuchProcess):
        victim.suspend()
        time.sleep(1.0)
        victim.resume()


def kill_or_hang(check: ConsistencyCheck, chance: random.Random) -> None:
    chance.choice((kill_one, hang_one))(check, chance)
