"""What runs: the service with two workers, the deployed Collector and the deployed Prometheus, and the traffic."""

import logging
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests.soak.stores.outages import Outage, Outages, Spans
from tests.soak.stores.traffic import Answer, Traffic
from tests.soak.stores.ways import answers_scraped, answers_sent
from tests.support.collector import Collector
from tests.support.deployed_prometheus import DeployedPrometheus
from tests.support.processes import Program, Programs, eventually, free_port
from tests.support.sandboxed_service import OPS_TOKEN

EVERY: Final = 5
"""Seconds between two scrapes, and between two exports."""
SETTLED_WITHIN: Final = 240.0
"""The longest back-off of the Collector is 30 s; the rest is for a busy machine."""
_SERVE: Final = """
import sys

if __name__ == "__main__":
    from service.cli import parser, serve

    # Where the machine stands still for a minute, a worker would be killed, and what it has not sent would be missing in one way.
    serve.WORKER_ANSWER_SECONDS = 900
    sys.exit(parser.main())
"""
_log = logging.getLogger(__name__)


@dataclass
class Scene:
    """Call `end_outages` before asking what Prometheus knows."""

    programs: Programs
    store: DeployedPrometheus
    collector: Collector
    service: Program
    traffic: Traffic
    outages: tuple[Outages, Outages]
    port: int
    spans: Spans
    restarts: list[Outage] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    unsettled: int = 0
    stalls: list[Outage] = field(default_factory=list)

    @classmethod
    def start(cls, programs: Programs, prometheus: Path, otelcol: Path, seed: int, spans: Spans) -> "Scene":
        port, metrics_port = free_port(), free_port()
        targets = {"sovani-api": port, "otel-collector": metrics_port}
        store = DeployedPrometheus(programs, prometheus, targets, f"{EVERY}s", OPS_TOKEN)
        collector = Collector(programs, otelcol, store.otlp, metrics_port)
        service = start_service(programs, port, collector)
        outages = (
            Outages("Prometheus", store, random.Random(f"{seed} prometheus"), spans),
            Outages("Collector", collector, random.Random(f"{seed} collector"), spans),
        )
        traffic = Traffic(service, random.Random(f"{seed} traffic"))
        return cls(programs, store, collector, service, traffic, outages, port, spans)

    @property
    def seconds(self) -> float:
        return time.time() - self.began + 60

    def end_outages(self) -> None:
        for each in self.outages:
            each.end()

    def answers(self) -> tuple[Counter[Answer], Counter[Answer], Counter[Answer]]:
        """What the client got, and what both ways say of the same routes."""
        truth = self.traffic.answered
        asked = self.store, self.seconds, self.starts
        ways = answers_scraped(*asked), answers_sent(*asked)
        scraped, sent = (Counter({what: way[what] for what in truth}) for way in ways)
        return Counter(truth), scraped, sent

    def settle(self) -> bool:
        """Whether both ways tell the truth after a while without traffic."""

        def is_true() -> bool:
            time.sleep(1)
            truth, scraped, sent = self.answers()
            return truth == scraped == sent

        self.traffic.pause()
        self.end_outages()
        try:
            return eventually(is_true, SETTLED_WITHIN)
        except AssertionError:
            return False

    def restart(self) -> None:
        """By turns told to stop, and killed: when nothing is on its way, so that the truth is known."""
        number = signal.SIGKILL if len(self.restarts) % 2 else signal.SIGTERM
        is_settled = self.settle()
        self.unsettled += not is_settled
        _log.info("%s: the service is restarted by %s", "settled" if is_settled else "NOT SETTLED", number.name)
        began = time.time()
        self.service.tell(number)
        self.service.exit_code(90)
        self.service.kill()
        self.starts.append(time.time())
        self.service = start_service(self.programs, self.port, self.collector)
        self.restarts.append(Outage(began, time.time()))
        self.traffic.resume(self.service)

    def progress(self) -> str:
        """Totals only while Prometheus can be asked."""
        names = ("client", "scraped", "sent")
        try:
            known = ", ".join(f"{name} {each.total()}" for name, each in zip(names, self.answers(), strict=True))
        except (httpx.TransportError, AssertionError):
            known = f"client {self.traffic.answered.total()}"
        kills = ", ".join(f"{each.name} killed {each.kills} x{' (away)' * each.is_away}" for each in self.outages)
        return f"{known}; {kills}; restarts {len(self.restarts)}"


def start_service(programs: Programs, port: int, collector: Collector) -> Program:
    """As docker-compose.yml has it, but for its database, and for the patience with workers that do not answer; only metrics are sent."""
    launcher = programs.write("patient_serve.py", _SERVE)
    service = programs.start(
        *(str(launcher), "serve", "--workers", "2", "--no-scheduler"),
        port=port,
        ENVIRONMENT="production",
        OPS_TOKEN=OPS_TOKEN,
        OTEL_RESOURCE_ATTRIBUTES="service.namespace=sovani,sovani.part=api",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRIC_EXPORT_INTERVAL=str(EVERY * 1000),
    )
    service.wait_for("/readyz", within=300)
    return service
