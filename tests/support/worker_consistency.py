"""Truth: what a client got from a service of several workers, and what the service's page says of it, whatever is killed."""

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
RECENT: Final = 1.2  # a killed worker takes its last second with it, and a little for the machine
Series = tuple[str, tuple[tuple[str, str], ...]]


def workers(service: Program) -> list[psutil.Process]:
    """Those that live; one that was killed is there for a while until its parent has looked after it."""
    return [child for child in psutil.Process(service.process.pid).children() if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "resource_tracker" not in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it has just gone
        return False


def counters(page: str) -> dict[Series, float]:
    """Every series that may only rise, by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        if family.type in {"counter", "histogram"}
        for sample in family.samples
    }


@dataclass
class Client:
    """Asks without end, and remembers what it was answered, and when."""

    service: Program
    stop: threading.Event
    pause: float = 0.0
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    moments: list[float] = field(default_factory=list)

    def run(self) -> None:
        with httpx.Client(base_url=self.service.url, trust_env=False, timeout=20) as client:
            number = 0
            while not self.stop.is_set():
                number += 1
                path = PATHS[number % len(PATHS)]
                try:
                    answer = client.get(path)
                except httpx.TransportError:  # its worker was killed in the middle
                    time.sleep(0.01)
                    continue
                self.answered[ENDPOINTS[path], str(answer.status_code)] += 1
                self.moments.append(time.monotonic())
                time.sleep(self.pause)


@dataclass
class Scraper:
    """Looks at the page again and again; `fell` are the series that were lower than anybody had seen them before."""

    service: Program
    stop: threading.Event
    seen: dict[Series, float]
    lock: threading.Lock
    scrapes: int = 0
    longest: float = 0.0
    fell: list[str] = field(default_factory=list)

    def run(self) -> None:
        while not self.stop.is_set():
            self.look()
            time.sleep(0.1)

    def look(self) -> None:
        """What was seen before the page was asked for may not be more than what it says."""
        with self.lock:
            before = dict(self.seen)
        began = time.monotonic()
        try:
            page = self.service.get("/metrics", timeout=20).text
        except httpx.TransportError:
            return
        self.longest = max(self.longest, time.monotonic() - began)
        self.scrapes += 1
        found = counters(page)
        self.fell += [f"{key}: {before[key]} -> {found.get(key)}" for key in before if found.get(key, -1) < before[key]]
        with self.lock:
            for key, value in found.items():
                self.seen[key] = max(value, self.seen.get(key, 0))


@dataclass
class Truth:
    """One client, two scrapers, and whoever disturbs them."""

    service: Program
    pause: float = 0.0
    kills: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        seen: dict[Series, float] = {}
        lock = threading.Lock()
        self.client = Client(self.service, self.stop, self.pause)
        self.scrapers = [Scraper(self.service, self.stop, seen, lock) for _ in range(2)]

    def watch(self, seconds: float, disturb: Callable[["Truth", random.Random], None] | None, every: float) -> None:
        self.stop.clear()
        threads = [threading.Thread(target=each.run) for each in (self.client, *self.scrapers)]
        for thread in threads:
            thread.start()
        chance, end = random.Random(7), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every)
            if disturb is not None:
                disturb(self, chance)
        self.stop.set()
        for thread in threads:
            thread.join(30)

    def page(self) -> dict[tuple[str, str], int]:
        """What the page says of the client's requests, by endpoint and status."""
        found = counters(self.service.get("/metrics", timeout=20).text)
        wanted = set(ENDPOINTS.values())
        return {
            (dict(labels)["endpoint"], dict(labels)["status"]): int(value)
            for (name, labels), value in found.items()
            if name == "http_requests_total" and dict(labels)["endpoint"] in wanted
        }

    def missing(self, page: dict[tuple[str, str], int]) -> int:
        """How many answers that the client got are not on the page."""
        return sum(max(0, number - page.get(key, 0)) for key, number in self.client.answered.items())

    def beyond(self, page: dict[tuple[str, str], int]) -> int:
        """How many are on the page that the client did not get."""
        return sum(max(0, number - self.client.answered[key]) for key, number in page.items())

    @property
    def fell(self) -> list[str]:
        return [each for scraper in self.scrapers for each in scraper.fell]

    @property
    def at_risk(self) -> int:
        """Answers of the seconds before kills: all that may be missing."""
        return sum(1 for moment in self.client.moments if any(0 <= kill - moment < RECENT for kill in self.kills))


def kill_one(truth: Truth, chance: random.Random) -> None:
    found = workers(truth.service)
    if len(found) > 1:
        victim = chance.choice(found)
        truth.kills.append(time.monotonic())
        victim.send_signal(signal.SIGKILL)


def hang_one(truth: Truth, chance: random.Random) -> None:
    """Stopped for a second, which is less than what its parent takes for death."""
    if not (found := workers(truth.service)):
        return  # all of them are being replaced
    victim = chance.choice(found)
    with suppress(psutil.NoSuchProcess):
        victim.suspend()
        time.sleep(1.0)
        victim.resume()


def kill_or_hang(truth: Truth, chance: random.Random) -> None:
    chance.choice((kill_one, hang_one))(truth, chance)
