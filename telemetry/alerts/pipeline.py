"""Composes the alert pipeline of a process: intake, outbox, rules, dispatch and channels."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from opentelemetry.metrics import Counter, Meter
from opentelemetry.trace import SpanContext, Tracer
from sqlalchemy.engine import Engine

from telemetry.alerts.channels.channel import Channel
from telemetry.alerts.destinations import configured_channels, incident_routing, message_links
from telemetry.alerts.dispatch.delivery_telemetry import DeliveryTelemetry
from telemetry.alerts.dispatch.dispatcher import Dispatcher, Sender
from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.dispatch.worker import DispatchWorker
from telemetry.alerts.incident_channels.channel_checks import channel_checks
from telemetry.alerts.incident_delivery.channel_test_message import incident_for_test, send_to_chain, send_to_target
from telemetry.alerts.incident_delivery.incident_routing import incident_worker
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
from telemetry.alerts.rules.job_failures import JobAlertDelivery, JobFailuresRule
from telemetry.alerts.self_metrics import AlertMetrics
from telemetry.alerts.service import AlertService
from telemetry.alerts.telegram_updates.configured_bot import operator_bot
from telemetry.alerts.telegram_updates.operator_bot import BotContext
from telemetry.database import EngineLimits, dedicated_engine
from telemetry.error_text import safe_text
from telemetry.failsafe import failsafe
from telemetry.health.database_writes import DatabaseCheck
from telemetry.health.report import CheckResult
from telemetry.health.system_resources import SystemResources
from telemetry.health.unclean_stops import UncleanStopWatch
from telemetry.jobs.statistics.failure_streaks import FailureStreaks
from telemetry.jobs.store.failure_alerts import FailureClaims
from telemetry.jobs.store.tables import JobRunRow, TableCheck
from telemetry.processes.registry import ProcessRegistry
from telemetry.sdk.shutdown import attempt
from telemetry.settings import TelemetrySettings

_DATABASE_LIMITS: Final = EngineLimits(pool_size=2, max_overflow=1, statement_timeout=10, lock_timeout=2)
"""A table that somebody locks must not keep the rules from being evaluated."""


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """How delivery is measured and traced. `in_job` says whether a span belongs to a job run, `uses_database` whether there is a
    database whose outage is an alert.
    """

    tracer: Tracer
    meter: Meter
    dropped: Counter
    in_job: Callable[[SpanContext], bool] = lambda _context: False
    uses_database: bool = True
    clock: Callable[[], float] = time.time


def _thresholds(settings: TelemetrySettings) -> resource_usage.Thresholds:
    return resource_usage.Thresholds(settings.alert_threshold_disk, settings.alert_threshold_memory)


def _nothing() -> None:
    """There is no database to check."""


class AlertPipeline:
    """`resources` are the disks and the memory to watch, `engine` is the database to check.

    A pipeline that is off (`TELEMETRY_ALERTS`) has no thread and no file. `links` are those of its messages.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        engine: Engine,
        resources: SystemResources,
        registry: ProcessRegistry,
        context: PipelineContext,
    ) -> None:
        self.is_on, self._clock = settings.telemetry_alerts, context.clock
        self.unclean_stops = UncleanStopWatch(registry, self.is_on, resources.memory_usage)
        self.outbox = Outbox(Path(settings.data_dir) / file.OUTBOX_FILE)
        self.queries, self.silences = AlertQueries(self.outbox), Silences(self.outbox)
        self.channels: Sequence[Channel] = configured_channels(settings)
        self.routing = incident_routing(settings, has_chain=bool(self.channels))
        sender = Sender(registry.lease_holder(), context.clock, is_dead=registry.is_dead)
        self.operator_bot = operator_bot(
            settings, registry, BotContext(self.outbox, context.meter, context.clock, channels=self.channel_names)
        )
        self.links = message_links(settings, has_buttons=self.operator_bot is not None)
        delivery = DeliveryTelemetry(context.tracer, context.meter, context.dropped, self.links)
        deduplicator = Deduplicator(IncidentRepository(self.outbox), delivery.record_dropped)
        self.exporter = AlertExporter(deduplicator, context.in_job)
        self._worker = DispatchWorker(
            deduplicator,
            Dispatcher(self.outbox, self.channels, delivery, sender),
            FallbackNotifier(self.channels, context.clock, self.links),
            self._pending_count,
        )
        self._incidents = incident_worker(self.outbox, self.routing, delivery, sender, context.meter)
        self._shared_engine, self._engine = engine, dedicated_engine(engine, _DATABASE_LIMITS, purpose="alerts")
        conditions, self._job_failures = ConditionTracker(self.outbox, context.clock), self._job_failures_rule(settings)
        self.service = AlertService(
            partial(resource_usage.evaluate, resources, _thresholds(settings), conditions), settings.jobs_component
        )
        self._evaluation = self._evaluator(conditions, sender, uses_database=context.uses_database).periodic_task()
        self._observe(deduplicator, context)

    def _observe(self, deduplicator: Deduplicator, context: PipelineContext) -> None:
        if self.is_on:
            AlertMetrics(self.queries, deduplicator, self.channel_names, context.clock).observe(context.meter)

    @property
    def channel_names(self) -> list[str]:
        """All channels that are configured: Telegram and the webhook, of which one sends, and those that keep incidents."""
        return [*(each.name for each in self.channels), *(each.name for each in self.routing.targets)]

    def test_channel(self, name: str, fingerprint: str, section: str) -> str:
        """Send a test to one channel alone. Returns what the channel accepted, in a few words.

        Raises:
            ChannelError: it did not accept the test, or that is unknown.
            KeyError: it is not configured.
        """
        incident = incident_for_test(fingerprint, section, self._clock())
        if (channel := {each.name: each for each in self.channels}.get(name)) is not None:
            return send_to_chain(channel, incident, self.links)
        return send_to_target({each.name: each for each in self.routing.targets}[name], incident, self.links)

    def _evaluator(self, conditions: ConditionTracker, sender: Sender, *, uses_database: bool) -> RuleEvaluator:
        database = DatabaseDownRule(DatabaseCheck(self._engine) if uses_database else _nothing, conditions)
        rules = Rules(database, self._job_failures, self.service.check_system_resources)
        return RuleEvaluator(rules, OutboxLeases(self.outbox, sender.is_dead), sender.name, self._clock)

    def _job_failures_rule(self, settings: TelemetrySettings) -> JobFailuresRule:
        has_runs, streaks = TableCheck(self._engine, JobRunRow), FailureStreaks(self._engine)
        return JobFailuresRule(
            lambda: streaks() if settings.telemetry_jobs and has_runs() else (),
            IncidentRepository(self.outbox),
            settings.alert_threshold_job_failures,
            JobAlertDelivery(FailureClaims(self._engine), self._can_send, self._clock),
            settings.jobs_component,
        )

    def open_conditions(self, prefix: str) -> dict[str, float]:
        """Since when the conditions with such a key are firing on this machine; none while the outbox cannot be read."""
        try:
            found = IncidentRepository(self.outbox).open_conditions(prefix) if self.is_on else {}
        except (sqlite3.Error, OSError):
            return {}
        return {key: incident.first_at for key, incident in found.items()}

    def start(self) -> None:
        """Start the threads of the dispatcher and the rules. Alerts that another process left unsent are sent as well."""
        if self.is_on:
            self._worker.start()
            self._incidents.start()
            self._evaluation.start()

    def serve(self) -> None:
        """Read the commands of operators as well, and note that this process serves. More than once is harmless."""
        self.unclean_stops.begin()
        if self.operator_bot is not None:
            self.operator_bot.start()

    def stop_serving(self) -> None:
        """The process stops in order."""
        self.unclean_stops.end()
        if self.operator_bot is not None:
            self.operator_bot.stop()

    def stop_rules(self) -> None:
        self._evaluation.stop()

    def evaluate_job_failures(self) -> None:
        """Once, at the end of a process that may be the only one: whether its run was a failure too many in a row."""
        if self.is_on:
            self.stop_rules()
            failsafe(self._job_failures.evaluate)()

    def shutdown(self, deadline: float) -> bool:
        """Write reported alerts to the outbox and send those that can be sent within `deadline` seconds.

        Returns whether no alert is only in memory.
        """
        attempt("the Telegram bot", self.stop_serving)
        attempt("the rules of alerts", self.stop_rules)
        end = time.monotonic() + deadline
        is_saved = not self.is_on or self._worker.shutdown(deadline)
        attempt("the channels of incidents", lambda: self._incidents.shutdown(max(0.0, end - time.monotonic())))
        attempt("the note of failed jobs", self._job_failures.note_told)
        for channel in self.channels:
            attempt(f"closing the channel {channel.name}", channel.close)
        attempt("closing the outbox", self.outbox.close)
        if self._engine is not self._shared_engine:
            attempt("closing the database of alerts", self._engine.dispose)
        return is_saved

    def check(self) -> CheckResult:
        """The health check: a disabled channel is a warning, since the process can still serve requests."""
        if not self.is_on:
            return CheckResult()
        try:
            problems = [each.disabled_reason for each in self.queries.channels() if each.disabled_reason]
        except (sqlite3.Error, OSError) as error:
            problems = [f"the outbox cannot be read: {safe_text(error)}"]
        return CheckResult("warning", {"error": problems[0]}, problems[0]) if problems else CheckResult()

    def channel_checks(self) -> Mapping[str, Callable[[], str]]:
        """By the names of the incident channels: whether each would accept alerts, without sending one."""
        return channel_checks(self.routing.targets)

    def _can_send(self) -> bool:
        """Whether a channel is configured and not disabled."""
        disabled = {each.name for each in self.queries.channels() if each.disabled_reason is not None}
        return any(name not in disabled for name in self.channel_names)

    def _pending_count(self) -> int:
        return self.queries.counts(self._clock()).pending if self.channels else 0
