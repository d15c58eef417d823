"""A script, as cron runs it: `python -m examples.script`. What it does is a recorded job, and its errors are alerts."""

import logging

import telemetry
from telemetry.jobs import monitor_job

_log = logging.getLogger("script")


def count_eggs() -> int:
    with monitor_job("count_eggs", metadata={"stable": "north"}) as run:
        eggs = run.metadata["eggs"] = 6
        _log.info("%d eggs", eggs)
    return eggs


if __name__ == "__main__":
    running = telemetry.start()
    telemetry.create_tables(running.engine)
    running.meter("script").create_counter("eggs.counted", "{egg}").add(count_eggs())
