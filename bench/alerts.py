"""Alerts: the cost of logging an error, first and repeated, and the outbox's throughput in alerts per second."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

from bench.contenders import settings
from bench.progress import say
from bench.subprocess_runner import MeasurementFailed, Subprocess
from bench.table import Table
from telemetry import semconv
from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.channels.channel import Sent
from telemetry.alerts.channels.rate_limit import ChannelRateLimit
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.rendering.message import Message
from telemetry.build import build
from telemetry.database import create_engine
from telemetry.logs.setup import detach

CALLS, QUICK_CALLS = 1000, 300
_SENT, _QUICK_SENT = 900, 200
_FIRST = 300  # different alerts that are pending at the same time
_DEPTH = 5
_log = logging.getLogger("bench.shop")

Report = Callable[[int], object]


def tables(directory: Path, *, quick: bool) -> Iterator[Table]:
    number = QUICK_CALLS if quick else CALLS
    table = Table(
        "An error that is logged: wall clock of the caller",
        ["", "median µs", "p99 µs"],
        f"with alerts and without; an exception has {_DEPTH} frames; first: each is another alert, {_FIRST} of them wait",
    )
    for i, (name, (prepare, most)) in enumerate(VARIANTS.items()):
        say("alerts", name)
        own = directory / f"alerts{i}"
        own.mkdir()
        try:
            with Subprocess(_runner, prepare, own) as process:
                took = process.call(min(number, most))
                table.add(name, f"{median(took):,.0f}", f"{quantiles(took, n=100)[98]:,.0f}")
        except MeasurementFailed as error:
            table.fail(name, error)
    yield table
    yield _through_the_outbox(directory, _QUICK_SENT if quick else _SENT)


def _through_the_outbox(directory: Path, number: int) -> Table:
    say("alerts", "through the outbox")
    table = Table(
        "Through the outbox, to a channel that takes them at once", ["", "alerts/s"], "each is a message of its own"
    )
    outbox = Outbox(directory / "through" / "outbox.db")
    reports, channel = IncidentRepository(outbox), _Taker()
    dispatcher = Dispatcher(outbox, [channel], _delivery(directory), Sender("bench"))
    started = time.perf_counter()
    for each in range(number):
        reports.add(_alert(each))
        dispatcher.step()
    took = time.perf_counter() - started
    outbox.close()
    table.add("reported and sent", f"{channel.taken / took:,.0f}")
    return table


class _Taker:
    name = "taker"
    rate_limit = ChannelRateLimit(0.0, 1_000_000)
    taken = 0

    def send(self, notification: Notification, _message: Message, state: ChannelState) -> Sent:
        self.taken += len(notification.incidents)
        return Sent(self.taken, state)

    def edit(self, _notification: Notification, _message: Message, state: ChannelState) -> ChannelState:
        return state

    def close(self) -> None:
        """Nothing is open."""


def _delivery(directory: Path) -> DeliveryTelemetry:
    home = directory / "delivery"
    built = build(settings(home), create_engine(f"sqlite:///{home}/bench.db"))
    return DeliveryTelemetry(
        built.tracer_provider.get_tracer("bench"), built.meter("bench"), built.metrics.instruments.dropped
    )


def _alert(number: int) -> Alert:
    return Alert(
        fingerprint=f"kind{number}",
        level=AlertLevel.ERROR,
        component="bench",
        summary="It does not work.",
        at=time.time(),
        stack="Traceback\n" * 200,
    )


def _runner(prepare: Callable[[Path], Report], directory: Path) -> Callable[[int], list[float]]:
    report = prepare(directory)
    report(-1)

    def measure(number: int) -> list[float]:
        return [_timed(report, each) for each in range(number)]

    return measure


def _timed(report: Report, number: int) -> float:
    started = time.perf_counter()
    report(number)
    return (time.perf_counter() - started) * 1e6


def _logging(directory: Path, report: Report, *, alerts: bool = True) -> Report:
    """Start the telemetry without any other log handler: the cost of a console is not measured."""
    built = build(settings(directory), create_engine(f"sqlite:///{directory}/bench.db"))
    logging.getLogger().addHandler(logging.NullHandler())
    if not alerts:
        detach(built.log_handler)
    return report


def _line(number: int) -> None:
    _log.error("It does not work: %d.", number)


def _exception(number: int) -> None:
    try:
        _fail(_DEPTH)
    except ValueError:
        _log.exception("It does not work: %d.", number)


def _fail(depth: int) -> None:
    if depth:
        _fail(depth - 1)
    raise ValueError("no")


def _first(number: int) -> None:
    """Log an error of another route each time, so that each is a new alert."""
    try:
        _fail(_DEPTH)
    except ValueError:
        _log.exception("It does not work.", extra={semconv.HTTP_ROUTE: f"/shops/{number}"})


def line_alone(home: Path) -> Report:
    return _logging(home, _line, alerts=False)


def line(home: Path) -> Report:
    return _logging(home, _line)


def exception_alone(home: Path) -> Report:
    return _logging(home, _exception, alerts=False)


def exception(home: Path) -> Report:
    return _logging(home, _exception)


def first(home: Path) -> Report:
    return _logging(home, _first)


VARIANTS: dict[str, tuple[Callable[[Path], Report], int]] = {
    "a line, nothing started": (line_alone, CALLS),
    "a line, repeated": (line, CALLS),
    "an exception, nothing started": (exception_alone, CALLS),
    "an exception, repeated": (exception, CALLS),
    "an exception, first": (first, _FIRST),
}
