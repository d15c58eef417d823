"""The runtime: what every entry point needs, built in one order, started and stopped in the other."""

import time

from opentelemetry.metrics import CallbackOptions, Observation

from service import database, external
from service.claims import Claims
from service.instruments import ROWS, BusinessInstruments
from service.schedule import Context, Schedule
from service.scheduler import Scheduler
from service.settings import Settings
from service.startup import BringUp
from telemetry import setup
from telemetry.database import create_engine
from telemetry.health.lifecycle import Lifecycle

STOP_WITHIN = 4.5
_FLUSH_AT_LEAST = 1.0


class Runtime:
    """The composition root: the engine, the telemetry, the schedule and the scheduler of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.engine = create_engine(settings.url)
        self.telemetry = setup.start(
            settings=settings, engine=self.engine, services=external.services(settings), rows=ROWS
        )
        self.instruments = BusinessInstruments.create(self.telemetry.meter("service"))
        self.schedule = Schedule(settings)
        self.context = Context(settings, self.engine, self.telemetry.store, self.telemetry.resources)
        self.scheduler = Scheduler(self.schedule, self.context, Claims(self.engine).take)
        self._bring_up = BringUp(self.engine, self._ready)

    def start(self) -> None:
        self._bring_up.start()

    def _ready(self) -> None:
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
