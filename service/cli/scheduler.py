"""The command `scheduler`: runs the scheduled jobs without the API."""

import argparse
import signal
from types import FrameType
from typing import Final

from service.bootstrap import Service
from service.cli.output import say
from service.settings import Settings
from telemetry.profiling import ContinuousProfiler

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_WAIT_SECONDS: Final = 3600.0


def scheduler(_options: argparse.Namespace) -> int:
    """Run the scheduled jobs, without the API, until the process receives a stop signal."""
    runtime = Service(Settings.read())
    runtime.start()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        runtime.stop_signal.set()

    for each in STOP_SIGNALS:
        signal.signal(each, stop)
    say(f"Scheduler: {', '.join(f'{job.name} {job.cadence}' for job in runtime.schedule.scheduled())}")
    address = runtime.settings.pyroscope_server_address
    with ContinuousProfiler(address, runtime.telemetry.tracer_provider, role="scheduler"):
        while runtime.stop_signal.wait(_WAIT_SECONDS):
            pass
        runtime.stop()
    return 0
