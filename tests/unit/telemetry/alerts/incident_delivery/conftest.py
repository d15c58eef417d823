"""Channels that keep incidents as a service does, and a machine whose processes send to them and are killed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.dispatch.dispatcher import Sender
from telemetry.alerts.incident_channels.incident_channel import IncidentEvent, IncidentStep
from telemetry.alerts.incident_delivery.escalations import EscalationPolicy
from telemetry.alerts.incident_delivery.incident_bookkeeping import (
    IncidentBookkeeping,
    IncidentMeasurements,
    UnsentIncidents,
)
from telemetry.alerts.incident_delivery.incident_dispatcher import IncidentDispatcher
from telemetry.alerts.outbox import maintenance
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.silences import Silences
from tests.support.telegram_server import HandClock, Killed
from tests.unit.telemetry.alerts.conftest import Measured

RATE_LIMIT = ChannelRateLimit(0.2, 1000)
ALL_STEPS = frozenset(IncidentStep)
Fault = Callable[[IncidentEvent], str | None]


@dataclass
class Pager:
    """A service that keeps incidents by key: what is open there, and every event that arrived."""

    name: str = "pagerduty"
    rate_limit: ChannelRateLimit = RATE_LIMIT
    steps: frozenset[IncidentStep] = ALL_STEPS
    fault: Fault = lambda _event: None
    arrived: list[IncidentEvent] = field(default_factory=list)
    refused: int = 0
    open: dict[str, str] = field(default_factory=dict)

    def deliver(self, event: IncidentEvent) -> str:
        fault = self.fault(event)
        if fault in FAILURES:
            self.refused += 1
            raise FAILURES[fault](self.name)
        if fault == "killed before":
            raise Killed
        self.arrived.append(event)
        if event.step is IncidentStep.RESOLVE:
            self.open.pop(event.key, None)
        else:
            self.open[event.key] = str(event.step)
        if fault == "killed after":
            raise Killed
        if fault == "lost response":
            raise ChannelError(f"{self.name} did not respond", outcome_unknown=True)
        return f"{self.name}:{event.key}"

    def close(self) -> None:
        """Nothing is open."""

    def sent(self) -> list[tuple[str, str]]:
        return [(str(event.step), event.key) for event in self.arrived]

    def of(self, key: str, *steps: IncidentStep) -> list[IncidentEvent]:
        return [each for each in self.arrived if each.key == key and each.step in steps]


FAILURES: dict[str, Callable[[str], Exception]] = {
    "down": lambda name: ChannelError(f"{name} is unavailable"),
    "429": lambda name: ChannelError(f"{name} asks to wait", retry_after=7.0),
    "revoked": lambda name: ChannelError(f"{name} refuses the key", permanent=True),
    "rejected": lambda name: ChannelError(f"{name} refuses this", message_rejected=True),
    "no response": lambda name: ChannelError(f"{name} did not respond", outcome_unknown=True),
    "bug": lambda _name: ZeroDivisionError("a bug of the channel"),
}


@dataclass
class Target:
    channel: Pager
    lowest: AlertLevel = AlertLevel.WARNING
    escalation_only: bool = False

    @property
    def name(self) -> str:
        return self.channel.name


class IncidentMachine:
    """Its processes are started and killed; the outbox stays."""

    def __init__(self, home: Path, clock: HandClock, targets: Sequence[Target], **options: object) -> None:
        self.clock = clock
        self.path = home / OUTBOX_FILE
        self.targets = targets
        self.measured = Measured()
        self._escalate_after = options.get("escalate_after")
        self._has_chain = bool(options.get("has_chain", True))
        self._processes = 0
        self._opened: list[Outbox] = []
        self.start()

    def start(self) -> None:
        """Start a process; what the one before had in memory is lost."""
        self._processes += 1
        self.outbox = Outbox(self.path)
        self._opened.append(self.outbox)
        self.incidents, self.queries, self.silences = (
            IncidentRepository(self.outbox),
            AlertQueries(self.outbox),
            Silences(self.outbox),
        )
        self.dispatchers = {each.name: self.dispatcher(each) for each in self.targets}
        after = self._escalate_after
        self.bookkeeping = IncidentBookkeeping(
            self.outbox,
            IncidentMeasurements(self.outbox, self.measured.meter),
            self.clock,
            policy=EscalationPolicy(after, self.targets) if isinstance(after, float) else None,
            unsent=None if self._has_chain else UnsentIncidents(self.outbox, self.targets),
        )
        self._next = dict.fromkeys(self.dispatchers, 0.0)

    def dispatcher(self, target: Target, process: str = "", outbox: Outbox | None = None) -> IncidentDispatcher:
        sender = Sender(process or f"process-{self._processes}", self.clock, Random(1))
        return IncidentDispatcher(
            outbox or self.outbox, target, self.measured.delivery(), sender, marks_sent=not self._has_chain
        )

    def report(self, *alerts: Alert) -> None:
        for each in alerts:
            self.incidents.add(each)

    def maintain(self) -> None:
        with self.outbox.transaction() as connection:
            maintenance.maintain(connection, self.clock())

    def step(self) -> None:
        """One step of each channel that is due. A process that is killed is replaced, once its lease has ended."""
        for name in self.targets_by_name():
            if self.clock() < self._next[name]:
                continue
            try:
                self._next[name] = self.clock() + self._step(name)
            except Killed:
                self.start()
                self.clock.forward(31)
        self.bookkeeping.run()

    def _step(self, name: str) -> float:
        """The first step acquires or renews the lease, and asks to be called again."""
        return self.dispatchers[name].step() or self.dispatchers[name].step()

    def targets_by_name(self) -> list[str]:
        return [each.name for each in self.targets]

    def run(self, seconds: float, pace: float = 0.25) -> None:
        until = self.clock() + seconds
        while self.clock() < until:
            self.maintain()
            self.step()
            self.clock.forward(pace)

    def outbox_leases(self) -> list[str]:
        with self.outbox.read() as connection:
            return [row["holder"] for row in connection.execute("SELECT holder FROM leases")]

    def close(self) -> None:
        for outbox in self._opened:
            outbox.close()
        self.measured.meters.shutdown()
        self.measured.tracers.shutdown()


@pytest.fixture
def make_incident_machine(tmp_path: Path, clock: HandClock) -> Iterator[Callable[..., IncidentMachine]]:
    created: list[IncidentMachine] = []

    def make(*targets: Target, **options: object) -> IncidentMachine:
        created.append(IncidentMachine(tmp_path / str(len(created)), clock, targets, **options))
        return created[-1]

    yield make
    for machine in created:
        machine.close()
