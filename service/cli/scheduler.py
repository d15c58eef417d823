"""The command `scheduler`: runs the scheduled jobs without the API."""

import argparse
import signal
import time
from types import FrameType
from typing import Final

from service.bootstrap import Service
from service.cli.output import say
from service.settings import Settings

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_POLL_SECONDS: Final = 0.1


def scheduler(_options: argparse.Namespace) -> int:
    """Run the scheduled jobs, without the API, until the process receives a stop signal."""
    runtime = Service(Settings.read())
    runtime.start()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        runtime.lifecycle.mark_stopping()  # no lock: a handler that takes one waits for the thread that it has interrupted

    for each in STOP_SIGNALS:
        signal.signal(each, stop)
    say(f"Scheduler: {', '.join(f'{job.name} {job.cadence}' for job in runtime.schedule.scheduled())}")
    while runtime.lifecycle.stopping_since is None:
        time.sleep(_POLL_SECONDS)
    runtime.stop()
    return 0
