"""Alerts of one process: what takes them in, keeps them, looks for them and sends them, put together."""

import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from opentelemetry.metrics import Counter, Meter
from opentelemetry.trace import SpanContext, Tracer
from sqlalchemy import text
from sqlalchemy.engine import Engine

from telemetry.alerts.channels.channel import Channel
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.dispatch.delivery_telemetry import Delivery
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.dispatch.fallback import Emergency
from telemetry.alerts.dispatch.worker import Sending
from telemetry.alerts.intake.deduplicator import Desk
from telemetry.alerts.intake.exporter import AlertExporter
from telemetry.alerts.outbox import file
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import Reports
from telemetry.alerts.outbox.leases import Leases
from telemetry.alerts.outbox.queries import Overview
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.rules import resource_usage
from telemetry.alerts.rules.condition import States
from telemetry.alerts.rules.database_down import DatabaseLook
from telemetry.alerts.rules.evaluator import Looks, Watch
from telemetry.alerts.rules.job_failures import JobsLook
from telemetry.alerts.self_metrics import Accounts
from telemetry.alerts.service import AlertService
from telemetry.database import beside
from telemetry.error_text import describe
from telemetry.health.report import CheckResult
from telemetry.health.system_resources import Resources
from telemetry.jobs.statistics.failure_streaks import streaks
from telemetry.periodic import Rounds
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How what is told is measured and traced. `in_job` says whether a span is that of a job, or inside of one."""

    tracer: Tracer
    meter: Meter
    dropped: Counter
    in_job: Callable[[SpanContext], bool] = lambda _context: False
    clock: Callable[[], float] = time.time


def channels(settings: TelemetrySettings) -> list[Channel]:
    """Those that are configured, the preferred one first."""
    found: list[Channel] = []
    if settings.telegram_token is not None and settings.manager_chat_id is not None:
        bot = Bot(
            settings.telegram_token, settings.manager_chat_id, settings.telegram_thread_id, settings.telegram_api_url
        )
        found.append(Telegram(bot))
    if settings.alert_webhook_url is not None:
        found.append(Webhook(settings.alert_webhook_url))
    return found


class Alerts:
    """`resources` are the disks and the memory that are looked after, `engine` the database."""

    def __init__(self, settings: TelemetrySettings, engine: Engine, resources: Resources, around: Surroundings) -> None:
        self.outbox = Outbox(Path(settings.data_dir) / file.FILE)
        self.overview = Overview(self.outbox)
        self.silences = Silences(self.outbox)
        self.channels: Sequence[Channel] = channels(settings)
        sender = Sender(f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}", around.clock)
        delivery = Delivery(around.tracer, around.meter, around.dropped, settings.trace_url_template or "")
        desk = Desk(Reports(self.outbox), delivery.dropped)
        self.exporter = AlertExporter(desk, around.in_job)
        dispatcher = Dispatcher(self.outbox, self.channels, delivery, sender)
        self._sending = Sending(desk, dispatcher, Emergency(self.channels, around.clock), self._waiting)
        self._clock = around.clock
        self._shared, self._engine = engine, beside(engine)
        states = States(self.outbox, around.clock)
        thresholds = resource_usage.Thresholds(settings.alert_threshold_disk, settings.alert_threshold_memory)
        self.service = AlertService(partial(resource_usage.look_at, resources, thresholds, states))
        self._watch = self._watching(settings.alert_threshold_job_failures, states, sender)
        Accounts(self.overview, desk, [each.name for each in self.channels], around.clock).observe(around.meter)

    def _watching(self, failures: int, states: States, sender: Sender) -> Rounds:
        jobs = JobsLook(lambda: streaks(self._engine), Reports(self.outbox), failures)
        looks = Looks(DatabaseLook(self._ping, states), jobs, self.service.check_system_resources)
        return Watch(looks, Leases(self.outbox), sender.name, self._clock).rounds()

    def start(self) -> None:
        """Send and watch, in threads; what another process has left unsent is sent as well."""
        self._sending.start()
        self._watch.start()

    def stop_watching(self) -> None:
        self._watch.stop()

    def shutdown(self, deadline: float) -> bool:
        """Keep what was reported, and send what can be sent at once. Whether nothing is left that is only in memory."""
        self.stop_watching()
        kept = self._sending.shutdown(deadline)
        for channel in self.channels:
            channel.close()
        self.outbox.close()
        if self._engine is not self._shared:
            self._engine.dispose()
        return kept

    def check(self) -> CheckResult:
        """A health check: a channel that refuses messages for good is a warning, and no reason to get no requests."""
        try:
            found = [state.stopped for state in self.overview.channels() if state.stopped]
        except (sqlite3.Error, OSError) as error:
            found = [f"the outbox cannot be read: {describe(error)}"]
        return CheckResult("warning", {"error": found[0]}, found[0]) if found else CheckResult()

    def _waiting(self) -> int:
        return self.overview.counts(self._clock()).waiting if self.channels else 0

    def _ping(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))
