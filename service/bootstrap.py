"""The composition root: builds what every entry point needs, in order of dependency, and starts and stops it."""

import logging
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from sqlalchemy.engine import Engine

import telemetry
from service.clients import Clients
from service.database import migrations
from service.database.clock import ClockMemory, DatabaseClock, JumpDetector, elapsed_seconds, utcnow
from service.database.process_engines import Engines
from service.database.startup import MigrateOnStart
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from service.integrations import endpoints
from service.integrations.http.sleep import InstrumentedSleep, OnWaited, ignore
from service.jobs.context import JobContext
from service.jobs.job_commands import JobCommands
from service.jobs.phone_commands import PhoneJobs, add_to
from service.jobs.schedule import DRAFTING_JOB, JOBS
from service.sandbox.supervisor import SandboxProcess
from service.scheduler.claims import Claims
from service.scheduler.job import Schedule
from service.scheduler.manual_runs import ManualRuns
from service.scheduler.monitoring.monitor import CHECK_INTERVAL, RunMonitor, SchedulerAbsence
from service.scheduler.monitoring.pause_watch import PauseWatch
from service.scheduler.scheduler import Scheduler, SchedulerHooks
from service.settings import SANDBOX_HOST, Settings
from service.shutdown import StopSignal
from service.sync.freshness.alerts import FreshnessAlerts
from service.sync.freshness.gauges import FreshnessGauges
from service.sync.freshness.monitor import CHECK_INTERVAL as FRESHNESS_INTERVAL
from service.sync.freshness.monitor import FreshnessMonitor
from service.sync.freshness.streams import interval, monitored_sources
from telemetry import TelemetryOptions
from telemetry.health import Lifecycle
from telemetry.jobs import JobRunRepository
from telemetry.periodic import PeriodicTask

_log = logging.getLogger(__name__)
FLUSH_TIMEOUT: Final = 4.0
ORPHAN_GRACE_SECONDS: Final = 1
CLOCK_FILE: Final = "clock"
UNTRACED_PATHS: Final = ("/health", "/healthz", "/livez", "/readyz", "/metrics")


class SandboxUnavailable(Exception):
    def __init__(self, port: int) -> None:
        super().__init__(f"The sandbox does not answer on port {port}: set SANDBOX_PORT to one that is free.")


class Service:
    """One process of the service. `create_app` and the commands make it. Nothing runs before `start`.

    `on_wait` is called before an outgoing call of a job waits.

    Attributes:
        clock: that of the database, by which the schedule runs.
        stop_signal: set at the moment of SIGTERM or SIGINT, and by `stop`.
        clients: for jobs, whose calls may wait for minutes.
        interactive_clients: for requests and commands.
        job_commands: runs jobs on request in this process, and pauses them on all.
        monitor: where the scheduler runs, accounts for its ticks; elsewhere, notices that no scheduler runs.
        freshness: reads how old the data is, for gauges and alerts.
    """

    _is_stopped = False

    def __init__(self, settings: Settings, on_wait: OnWaited = ignore) -> None:
        self.settings = settings
        self.stop_signal = StopSignal()
        self._grace = settings.job_grace_seconds
        self._stopping = threading.Lock()
        self.lifecycle = Lifecycle(self.stop_signal.is_running)
        migrations.register_missing_table_sentence()
        self.engines = Engines.create(settings.url, settings.service_name)
        self.telemetry = telemetry.start(settings=settings, engine=self.engine, options=telemetry_options(settings))
        self.instruments = ServiceInstruments.create(self.telemetry.meter("service"))
        sleep = InstrumentedSleep(self.stop_signal, self.instruments.count_wait, on_wait)
        self.clients = Clients(settings, self.engine, self.instruments, sleep)
        self.interactive_clients = self.clients.interactive(self.engines.requests)
        self.sandbox = sandbox_process(settings)
        self.schedule = Schedule(settings, JOBS)
        self.context = JobContext(
            settings,
            self.engine,
            self.telemetry.jobs.store,
            self.clients,
            self.instruments,
            self.stop_signal.is_running,
        )
        self.claims, self.clock = Claims(self.engine, check_engine=self.engines.probes), DatabaseClock(self.engine)
        self.scheduler = Scheduler(
            self.schedule,
            self.context,
            self.claims,
            self.clock.now,
            hooks=SchedulerHooks(
                self.instruments.count_skipped, self.telemetry.jobs.store.running_since, self.stop_signal
            ),
        )
        self.job_commands, self.monitor = self._job_commands(), self._schedule_task()
        self.freshness, self._migration = self._freshness_task(), MigrateOnStart(self.engine, self._on_migrated)
        self._declare_jobs()

    @property
    def engine(self) -> Engine:
        """For jobs, migrations and commands."""
        return self.engines.jobs

    def _job_commands(self) -> JobCommands:
        context, engine = replace(self.context, manual=True), self.engines.requests
        runs = ManualRuns(context, self.claims, self.scheduler, JobRunRepository(engine))
        return JobCommands(self.schedule, engine, self.clock.known_now, runs)

    def _schedule_task(self) -> PeriodicTask:
        seconds, monitoring = CHECK_INTERVAL.total_seconds(), self._monitoring()
        pauses, now = PauseWatch(self.schedule, self.engine), self.clock.known_now
        pauses.observe(self.telemetry.meter("service"))

        def check() -> None:
            monitoring()
            pauses.check(now())

        return PeriodicTask(check, seconds, "Watching the schedule", self.stop_signal.is_running)

    def _monitoring(self) -> Callable[[], None]:
        now = self.clock.known_now
        if not self.settings.scheduler:
            absence = SchedulerAbsence(self.engine)
            return lambda: absence.check(now())
        jumps = JumpDetector(memory=ClockMemory(self.settings.data_dir / CLOCK_FILE))
        counted = (self.instruments.count_missed, self.instruments.count_overdue)
        monitor = RunMonitor(self.schedule, self.engine, *counted, jumps)
        return lambda: monitor.check(now())

    def _freshness_task(self) -> PeriodicTask:
        now, scheduled = utcnow(), self.schedule.scheduled()
        sources = monitored_sources(self.schedule, self.settings, now)
        drafting = next((interval(job, now) for job in scheduled if job.name == DRAFTING_JOB), None)
        alerts = FreshnessAlerts(self.engine, sources, drafting, self.telemetry.alerts.open_conditions, elapsed_seconds)
        monitor = FreshnessMonitor(self.engines.requests, self.settings, self.clock.known_now, alerts.evaluate)
        gauges = FreshnessGauges(sources, lambda: monitor.snapshot, self.clock.last_now)
        gauges.observe(self.telemetry.meter("service"))
        seconds = FRESHNESS_INTERVAL.total_seconds()
        return PeriodicTask(monitor.check, seconds, "Watching the freshness of the data", self.stop_signal.is_running)

    def _declare_jobs(self) -> None:
        names = [job.name for job in self.schedule.scheduled()]
        self.telemetry.jobs.declare(names)
        self.instruments.declare_jobs(names)
        phone = PhoneJobs(self.schedule, self.engines.requests, self.job_commands, self.clock.last_now)
        add_to(self.telemetry.alerts.operator_bot, phone, self.claims)

    def start(self) -> None:
        """Start the sandbox, if there is to be one, and migrate; everything else starts when that is done.

        Raises:
            RuntimeError: this service has been stopped. `create_app()` makes a new one.
        """
        if not self.stop_signal.is_running():
            raise RuntimeError("This application has been stopped; make a new one by create_app().")
        self.telemetry.recent.activate()  # also in a process without a console: that of another one shows its jobs
        if self.sandbox is not None:
            self.sandbox.start()
        self._migration.start()

    def _on_migrated(self) -> None:
        self.telemetry.jobs.restore_last_runs([job.name for job in self.schedule.scheduled()])
        if self.sandbox is not None:
            self.sandbox.wait()
        if self.settings.scheduler:
            self.scheduler.start()
        self.monitor.start()
        self.freshness.start()
        self.telemetry.alerts.serve()
        self.lifecycle.mark_ready()
        _log.info("Ready (process %d).", os.getpid())

    def limit_grace(self) -> None:
        """Cancel running jobs soon: this worker's parent has ended, and a new start waits for the port."""
        self._grace = min(self._grace, ORPHAN_GRACE_SECONDS)

    def stop(self) -> None:
        """Stop in order. Running jobs have `JOB_GRACE_SECONDS` from the stop signal on, and are then cancelled.

        What was measured is flushed within `FLUSH_TIMEOUT` seconds more. A second call waits for the first.
        """
        with self._stopping:
            if not self._is_stopped:
                self._stop()
            self._is_stopped = True

    def _stop(self) -> None:
        self.stop_signal.set()
        stopping_since = self.stop_signal.set_at or time.monotonic()
        with ExitStack() as steps:  # the last one first; each of them whatever the others raise
            steps.callback(self.close)
            steps.callback(self._close_clients)
            steps.callback(lambda: self.scheduler.stop(max(0.0, stopping_since + self._grace - time.monotonic())))
            steps.callback(self.monitor.stop)
            steps.callback(self.freshness.stop)
            steps.callback(self.telemetry.alerts.stop_serving)
            steps.callback(self._migration.stop)

    def close(self, deadline: float = FLUSH_TIMEOUT) -> None:
        """Flush what was measured within so many seconds, and close the connections to the database."""
        telemetry.shutdown(deadline)
        self.engine.dispose()

    def _close_clients(self) -> None:
        self.clients.close()
        if self.sandbox is not None:
            self.sandbox.stop()

    @contextmanager
    def running_sandbox(self) -> Generator[None]:
        """For a process that does one thing: run the sandbox, if there is to be one, and close the clients at the end.

        Raises:
            SandboxUnavailable: it did not answer in time.
        """
        if self.sandbox is not None:
            self.sandbox.start()
            if not self.sandbox.wait():
                self.sandbox.stop()
                raise SandboxUnavailable(self.settings.sandbox_port)
        try:
            yield
        finally:
            self._close_clients()


def telemetry_options(settings: Settings) -> TelemetryOptions:
    return TelemetryOptions(tuple(endpoints.outbound_services(settings)), METRIC_MAPPINGS, UNTRACED_PATHS)


def sandbox_process(settings: Settings) -> SandboxProcess | None:
    if not settings.sandbox:
        return None
    arguments = ("--seed", str(settings.sandbox_seed), "--faults", settings.sandbox_faults)
    return SandboxProcess(
        SANDBOX_HOST, settings.sandbox_port, settings.data_dir / "sandbox" / "journal.jsonl", arguments
    )
