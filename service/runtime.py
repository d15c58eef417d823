"""The runtime: what every entry point needs, built in one order, started and stopped in the other."""

import time
from typing import Final

from service import external
from service.claims import Claims
from service.instruments import ROWS, BusinessInstruments
from service.schedule import Context, Schedule
from service.scheduler import Scheduler
from service.settings import Settings
from service.startup import BringUp
from telemetry import names, setup
from telemetry.database import create_engine
from telemetry.health.lifecycle import Lifecycle
from telemetry.specifics import Specifics

STOP_WITHIN: Final = 4.5
_FLUSH_AT_LEAST: Final = 1.0
UNTRACED: Final = ("/health", "/healthz", "/livez", "/readyz", "/metrics")


def specifics(settings: Settings) -> Specifics:
    return Specifics(tuple(external.services(settings)), ROWS, UNTRACED)


class Runtime:
    """The composition root: the engine, the telemetry, the schedule and the scheduler of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.engine = create_engine(settings.url, settings.service_name)
        self.telemetry = setup.start(settings=settings, engine=self.engine, specifics=specifics(settings))
        self.instruments = BusinessInstruments.create(self.telemetry.meter("service"))
        self.schedule = Schedule(settings)
        self.context = Context(settings, self.engine, self.telemetry.store, self.telemetry.resources)
        self.scheduler = Scheduler(self.schedule, self.context, Claims(self.engine).take)
        self._bring_up = BringUp(self.engine, self._ready)
        self._begin_at_zero()

    def start(self) -> None:
        """Once: what has been stopped is over, and a new application is made by `create_app()`."""
        if self.lifecycle.phase == "stopping":
            raise RuntimeError("This application has been stopped; make a new one by create_app().")
        self._bring_up.start()

    def _begin_at_zero(self) -> None:
        """A series that is there before its first event: else `rate()` does not see that one."""
        for job in self.schedule.scheduled():
            for status in (names.STATUS_SUCCESS, names.STATUS_FAILED):
                self.telemetry.instruments.job_runs.add(0, {names.JOB_NAME: job.name, names.JOB_STATUS: status})

    def _remember_successes(self) -> None:
        """When a job last succeeded is known from before this process began."""
        for job in self.schedule.scheduled():
            for run in self.telemetry.store.page(job_name=job.name, status=names.STATUS_SUCCESS, limit=1):
                ended = run.finished_at or run.started_at
                self.telemetry.instruments.job_last_success.set(ended.timestamp(), {names.JOB_NAME: job.name})

    def _ready(self) -> None:
        self._remember_successes()
        if self.settings.scheduler:
            self.scheduler.start()
        self.lifecycle.ready()

    def stop(self) -> None:
        """Orderly, and within `STOP_WITHIN` seconds of the moment that the process was told to stop."""
        self.lifecycle.stop()
        told = self.lifecycle.stopping_since or time.monotonic()
        self._bring_up.stop()
        self.scheduler.stop(grace=_left(told) / 2)
        setup.shutdown(max(_FLUSH_AT_LEAST, _left(told)))
        self.engine.dispose()


def _left(told: float) -> float:
    return max(0.0, told + STOP_WITHIN - time.monotonic())
