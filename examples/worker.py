"""A worker of a task queue, without any framework: `python -m examples.worker`. Each task is a run of a job.

Celery, RQ and others call their tasks in the same way: start the telemetry once in each worker process, and wrap the task's body
in `monitor_job`. A task that fails is a failed run; the worker goes on.
"""

import logging
import queue
import signal
from collections.abc import Callable

import telemetry
from telemetry.jobs import monitor_job

_log = logging.getLogger("worker")
Task = tuple[str, Callable[[], object]]


def work(tasks: "queue.Queue[Task | None]") -> None:
    """Run tasks until there is None."""
    while (task := tasks.get()) is not None:
        name, body = task
        try:
            with monitor_job(name):
                body()
        except Exception:  # noqa: BLE001  # a task may fail in any way, and the worker goes on
            _log.exception("The task %s failed.", name)


def main() -> None:
    running = telemetry.start()
    telemetry.create_tables(running.engine)
    tasks: queue.Queue[Task | None] = queue.Queue()
    signal.signal(signal.SIGTERM, lambda *_: tasks.put(None))
    for number in (2, 1, 0):
        tasks.put(("divide", lambda divisor=number: 1 / divisor))  # type: ignore[misc]
    tasks.put(None)
    work(tasks)
    telemetry.shutdown()


if __name__ == "__main__":
    main()
