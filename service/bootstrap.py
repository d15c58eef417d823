"""The runtime: what every entry point needs, built in one order, started and stopped in the other."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import product
from typing import Final

from service.clients import Clients
from service.database.clock import DatabaseClock
from service.database.startup import MigrateOnStart
from service.instruments import METRIC_MAPPINGS, ServiceInstruments
from service.integrations import endpoints
from service.integrations.http.sleep import InstrumentedSleep
from service.jobs.context import JobContext
from service.jobs.schedule import JOBS
from service.sandbox.supervisor import SandboxProcess
from service.scheduler.claims import Claims
from service.scheduler.job import Schedule
from service.scheduler.monitoring.monitor import CHECK_INTERVAL, Counting, RunMonitor, SchedulerAbsence
from service.scheduler.scheduler import Scheduler, SchedulerHooks
from service.settings import SANDBOX_HOST, Settings
from service.shutdown import StopSignal
from telemetry import semconv, setup
from telemetry.database import create_engine
from telemetry.health.lifecycle import Lifecycle
from telemetry.options import TelemetryOptions
from telemetry.periodic import PeriodicTask

FLUSH_TIMEOUT: Final = 4.0
UNTRACED_PATHS: Final = ("/health", "/healthz", "/livez", "/readyz", "/metrics")


def telemetry_options(settings: Settings) -> TelemetryOptions:
    return TelemetryOptions(tuple(endpoints.outbound_services(settings)), METRIC_MAPPINGS, UNTRACED_PATHS)


class SandboxUnavailable(Exception):  # it is not there
    def __init__(self, port: int) -> None:
        super().__init__(f"The sandbox does not answer on port {port}: set SANDBOX_PORT to one that is free.")


def sandbox_process(settings: Settings) -> SandboxProcess | None:
    if not settings.sandbox:
        return None
    arguments = ("--seed", str(settings.sandbox_seed), "--faults", settings.sandbox_faults)
    return SandboxProcess(
        SANDBOX_HOST, settings.sandbox_port, settings.data_dir / "sandbox" / "journal.jsonl", arguments
    )


class Service:
    """The composition root: the engine, the telemetry, the schedule and the scheduler of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stop_signal = StopSignal()
        self.lifecycle = Lifecycle(self.stop_signal.is_running)
        self.engine = create_engine(settings.url, settings.service_name)
        self.telemetry = setup.start(settings=settings, engine=self.engine, specifics=telemetry_options(settings))
        self.instruments = ServiceInstruments.create(self.telemetry.meter("service"))
        sleep = InstrumentedSleep(self.stop_signal, self.instruments.count_wait)
        self.clients = Clients(settings, self.engine, self.instruments, sleep)
        self.interactive_clients = self.clients.interactive
        self.sandbox = sandbox_process(settings)
        self.schedule = Schedule(settings, JOBS)
        self.context = JobContext(
            settings,
            self.engine,
            self.telemetry.store,
            self.clients,
            self.instruments,
            self.stop_signal.is_running,
        )
        self.claims = Claims(self.engine)
        self.scheduler = Scheduler(
            self.schedule,
            self.context,
            self.claims,
            DatabaseClock(self.engine).now,
            watch=SchedulerHooks(self._skipped, self.stop_signal),
        )
        self.watch = PeriodicTask(
            self._watching(), CHECK_INTERVAL.total_seconds(), "Watching the schedule", self.stop_signal.is_running
        )
        self._bring_up = MigrateOnStart(self.engine, self._ready)
        self._begin_at_zero()

    def start(self) -> None:
        """Once: what has been stopped is over, and a new application is made by `create_app()`."""
        if self.lifecycle.phase == "stopping":
            raise RuntimeError("This application has been stopped; make a new one by create_app().")
        if self.sandbox is not None:
            self.sandbox.start()
        self._bring_up.start()

    @contextmanager
    def surroundings(self) -> Generator[None]:
        """The outside world for a process that does one thing: with the sandbox up, if there is to be one.

        Raises:
            SandboxUnavailable: it did not begin to answer.
        """
        if self.sandbox is not None:
            self.sandbox.start()
            if not self.sandbox.wait():
                self.sandbox.stop()
                raise SandboxUnavailable(self.settings.sandbox_port)
        try:
            yield
        finally:
            self._close_outside()

    def _close_outside(self) -> None:
        self.clients.close()
        if self.sandbox is not None:
            self.sandbox.stop()

    def _begin_at_zero(self) -> None:
        """A series that is there before its first event: else `rate()` does not see that one."""
        for job in self.schedule.scheduled():
            for status in (semconv.STATUS_SUCCESS, semconv.STATUS_FAILED):
                self.telemetry.instruments.job_runs.add(0, {semconv.JOB_NAME: job.name, semconv.JOB_STATUS: status})
            for counter in (
                self.telemetry.instruments.runs_lost,
                self.instruments.ticks_skipped,
                self.instruments.runs_missed,
                self.instruments.runs_overdue,
            ):
                counter.add(0, {semconv.JOB_NAME: job.name})

    def _remember_last_runs(self) -> None:
        """When a job last succeeded and last failed is known from before this process began."""
        instruments = self.telemetry.instruments
        told = {
            semconv.STATUS_SUCCESS: instruments.job_last_success,
            semconv.STATUS_FAILED: instruments.job_last_failure,
        }
        for job, (status, last) in product(self.schedule.scheduled(), told.items()):
            for run in self.telemetry.store.page(job_name=job.name, status=status, limit=1):
                ended = run.finished_at or run.started_at
                last.set(ended.timestamp(), {semconv.JOB_NAME: job.name})

    def _ready(self) -> None:
        self._remember_last_runs()
        if self.sandbox is not None:
            self.sandbox.wait()
        if self.settings.scheduler:
            self.scheduler.start()
        self.watch.start()
        self.lifecycle.ready()

    def _watching(self) -> Callable[[], None]:
        """Who runs the schedule accounts for its ticks; who doesn't hears whether anybody does."""
        now = DatabaseClock(self.engine).now
        if not self.settings.scheduler:
            listener = SchedulerAbsence(self.engine)
            return lambda: listener.listen(now())
        watchman = RunMonitor(self.schedule, self.engine, Counting(self._missed, self._overdue))
        return lambda: watchman.look(now())

    def _missed(self, job_name: str, ticks: int) -> None:
        self.instruments.runs_missed.add(ticks, {semconv.JOB_NAME: job_name})

    def _overdue(self, job_name: str) -> None:
        self.instruments.runs_overdue.add(1, {semconv.JOB_NAME: job_name})

    def _skipped(self, job_name: str) -> None:
        self.instruments.ticks_skipped.add(1, {semconv.JOB_NAME: job_name})

    def stop(self) -> None:
        """Orderly: running jobs have until `JOB_GRACE_SECONDS` after the process was told to stop, and are then cancelled.

        What was measured is flushed within `FLUSH_TIMEOUT` seconds more.
        """
        self.stop_signal.set()
        told = self.stop_signal.set_at or time.monotonic()
        self._bring_up.stop()
        self.watch.stop()
        grace = max(0.0, told + self.settings.job_grace_seconds - time.monotonic())
        self.scheduler.stop(grace)
        self._close_outside()
        setup.shutdown(FLUSH_TIMEOUT)
        self.engine.dispose()
