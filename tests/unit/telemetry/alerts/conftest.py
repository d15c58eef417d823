"""A machine that sends alerts: its outbox, deduplicator and dispatcher, with processes that can be killed and a manual clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.incident import Incident
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.outbox.notifications import NotificationRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.rendering.message import NO_LINKS, Links
from tests.support.telegram_server import NOON, TELEGRAM_CHAT_ID, TELEGRAM_TOKEN, URL, HandClock, Killed, StrictTelegram


def alert(name: str = "shop", **values: Any) -> Alert:
    """An error of this fingerprint, at noon."""
    created = Alert(fingerprint=name, level=AlertLevel.ERROR, component="shop", summary=f"{name} failed", at=NOON)
    return replace(created, **values)


def incident(**values: Any) -> Incident:
    """An open incident that was not sent."""
    defaults: dict[str, Any] = {
        "id": 1,
        "fingerprint": "shop",
        "state": "",
        "level": AlertLevel.ERROR,
        "component": "shop",
        "summary": "shop failed",
        "error": "",
        "location": "",
        "stack": "",
        "facts": {},
        "inhibited_by": "",
        "trace_id": "",
        "span_id": "",
        "is_sampled": False,
        "first_at": NOON,
        "last_at": NOON,
        "count": 1,
        "due_at": NOON,
        "ended_at": None,
        "end_reason": None,
        "inhibitor_id": None,
        "notified_at": None,
        "notification_id": None,
        "notified_count": 0,
        "end_notified": False,
    }
    return Incident(**defaults | values)


@dataclass
class Measured:
    """The telemetry of the delivery."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader])
        self.meter = self.meters.get_meter("tests")
        self.dropped = self.meter.create_counter("telemetry.dropped")

    def delivery(self, links: Links = NO_LINKS) -> DeliveryTelemetry:
        return DeliveryTelemetry(self.tracers.get_tracer("tests"), self.meter, self.dropped, links)

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """The values of an instrument by its attributes' values."""
        data = self.reader.get_metrics_data()
        metrics = [each for one in data.resource_metrics for scope in one.scope_metrics for each in scope.metrics]
        found = [point for metric in metrics if metric.name == name for point in metric.data.data_points]
        return {tuple(point.attributes.values()): getattr(point, "value", point) for point in found}


class Machine:
    """Its processes are started and killed; the outbox stays."""

    def __init__(self, home: Path, clock: HandClock, transport: httpx.BaseTransport, **bot: Any) -> None:
        self.clock = clock
        self.path = home / OUTBOX_FILE
        self.measured = Measured()
        self._transport = transport
        self._bot = {"token": SecretStr(TELEGRAM_TOKEN), "chat_id": TELEGRAM_CHAT_ID, "api_url": URL} | bot
        self._senders = 0
        self._opened: list[Outbox] = []
        self.start()

    def start(self) -> None:
        """Start a process; what the one before had in memory is lost."""
        self.outbox = Outbox(self.path)
        self._opened.append(self.outbox)
        self.incidents, self.notifications, self.leases = (
            IncidentRepository(self.outbox),
            NotificationRepository(self.outbox),
            OutboxLeases(self.outbox),
        )
        self.queries, self.silences = AlertQueries(self.outbox), Silences(self.outbox)
        self.dropped: list[tuple[int, str]] = []
        self.deduplicator = Deduplicator(self.incidents, lambda number, reason: self.dropped.append((number, reason)))
        self._senders += 1
        self.channels: list[Any] = [Telegram(Bot(**self._bot), httpx.Client(transport=self._transport))]
        self.make_dispatcher()

    def make_dispatcher(self, links: Links = NO_LINKS) -> None:
        sender = Sender(f"process-{self._senders}", self.clock, Random(1))
        self.dispatcher = Dispatcher(self.outbox, self.channels, self.measured.delivery(links), sender)

    def report(self, *alerts: Alert) -> None:
        for each in alerts:
            self.deduplicator.report(each)

    def run(self, seconds: float, step: float = 0.25) -> None:
        """Run rounds of the worker until the clock has moved by so many seconds."""
        until, next_step = self.clock() + seconds, 0.0
        while self.clock() < until:
            self.deduplicator.flush()
            if self.clock() >= next_step:
                next_step = self.clock() + self.dispatcher.step()
            self.clock.forward(step)

    def run_until_sent(self, within: float = 6 * 3600.0) -> None:
        """Run until nothing is pending, as fast as the dispatcher allows. A process that is killed is replaced."""
        until = self.clock() + within
        while self.clock() < until:
            try:
                self.deduplicator.flush()
                pause = self.dispatcher.step()
            except Killed:
                self.start()
                self.clock.forward(31)
                continue
            if not self.has_pending():
                return
            self.clock.forward(max(pause, 0.05))
        raise AssertionError(f"still pending: {self.queries.counts(self.clock())}")

    def has_pending(self) -> bool:
        return bool(self.deduplicator.unsaved or self.queries.counts(self.clock()).pending or self._unsent())

    def _unsent(self) -> int:
        with self.outbox.transaction() as connection:
            return int(connection.execute("SELECT count(*) FROM posts WHERE sent_at IS NULL").fetchone()[0])

    def close(self) -> None:
        for outbox in self._opened:
            outbox.close()
        self.measured.meters.shutdown()
        self.measured.tracers.shutdown()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def make_machine(tmp_path: Path, clock: HandClock) -> Iterator[Callable[..., Machine]]:
    created: list[Machine] = []

    def make(transport: httpx.BaseTransport, **bot: Any) -> Machine:
        created.append(Machine(tmp_path / str(len(created)), clock, transport, **bot))
        return created[-1]

    yield make
    for machine in created:
        machine.close()


@pytest.fixture
def telegram(clock: HandClock) -> StrictTelegram:
    return StrictTelegram(clock)


@pytest.fixture
def machine(make_machine: Callable[..., Machine], telegram: StrictTelegram) -> Machine:
    return make_machine(telegram)


@pytest.fixture
def make_webhook() -> Callable[[httpx.BaseTransport], Webhook]:
    return lambda transport: Webhook(SecretStr("http://hook.test/secret"), httpx.Client(transport=transport))
