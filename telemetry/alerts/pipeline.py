"""AlertPipeline of one process: what takes them in, keeps them, looks for them and sends them, put together."""

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
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.dispatch.worker import DispatchWorker
from telemetry.alerts.intake.deduplicator import Deduplicator
from telemetry.alerts.intake.exporter import AlertExporter
from telemetry.alerts.outbox import file
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.rules import resource_usage
from telemetry.alerts.rules.condition import ConditionTracker
from telemetry.alerts.rules.database_down import DatabaseDownRule
from telemetry.alerts.rules.evaluator import RuleEvaluator, Rules
from telemetry.alerts.rules.job_failures import JobFailuresRule
from telemetry.alerts.self_metrics import AlertMetrics
from telemetry.alerts.service import AlertService
from telemetry.database import dedicated_engine
from telemetry.error_text import safe_text
from telemetry.health.report import CheckResult
from telemetry.health.system_resources import SystemResources
from telemetry.jobs.statistics.failure_streaks import failure_streaks
from telemetry.periodic import PeriodicTask
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True, slots=True)
class PipelineContext:
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


class AlertPipeline:
    """`resources` are the disks and the memory that are looked after, `engine` the database."""

    def __init__(
        self, settings: TelemetrySettings, engine: Engine, resources: SystemResources, around: PipelineContext
    ) -> None:
        self.outbox = Outbox(Path(settings.data_dir) / file.FILE)
        self.overview = AlertQueries(self.outbox)
        self.silences = Silences(self.outbox)
        self.channels: Sequence[Channel] = channels(settings)
        sender = Sender(f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}", around.clock)
        delivery = DeliveryTelemetry(around.tracer, around.meter, around.dropped, settings.trace_url_template or "")
        desk = Deduplicator(IncidentRepository(self.outbox), delivery.dropped)
        self.exporter = AlertExporter(desk, around.in_job)
        dispatcher = Dispatcher(self.outbox, self.channels, delivery, sender)
        self._sending = DispatchWorker(desk, dispatcher, FallbackNotifier(self.channels, around.clock), self._waiting)
        self._clock = around.clock
        self._shared, self._engine = engine, dedicated_engine(engine)
        states = ConditionTracker(self.outbox, around.clock)
        thresholds = resource_usage.Thresholds(settings.alert_threshold_disk, settings.alert_threshold_memory)
        self.service = AlertService(
            partial(resource_usage.evaluate, resources, thresholds, states), settings.jobs_component
        )
        self._watch = self._watching(settings, states, sender)
        AlertMetrics(self.overview, desk, [each.name for each in self.channels], around.clock).observe(around.meter)

    def _watching(self, settings: TelemetrySettings, states: ConditionTracker, sender: Sender) -> PeriodicTask:
        jobs = JobFailuresRule(
            lambda: failure_streaks(self._engine),
            IncidentRepository(self.outbox),
            settings.alert_threshold_job_failures,
            component=settings.jobs_component,
        )
        looks = Rules(DatabaseDownRule(self._ping, states), jobs, self.service.check_system_resources)
        return RuleEvaluator(looks, OutboxLeases(self.outbox), sender.name, self._clock).rounds()

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
            found = [f"the outbox cannot be read: {safe_text(error)}"]
        return CheckResult("warning", {"error": found[0]}, found[0]) if found else CheckResult()

    def _waiting(self) -> int:
        return self.overview.counts(self._clock()).waiting if self.channels else 0

    def _ping(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))
