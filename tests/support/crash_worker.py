"""A worker process for crash tests: it only runs jobs, and logs when each body starts and when its caller gets the result.

The log is in the page cache at once and so survives the process: after a kill, the test knows what the table must contain.
There is also a killer: a process that forks such workers one after the other, and kills each with SIGKILL at a random time.
Forks import nothing again, so many kills per minute are possible even on a slow machine.

Two variables make it odd: with `FORKS=n` each of its first n runs forks a child inside itself, and with `SPOOL_BYTES=n` its spool
takes so many bytes.
"""

import signal
from collections import Counter
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Engine

from telemetry.database import transaction
from telemetry.jobs.store.tables import JobRunRow
from tests.support.processes import Program, Programs, eventually

SOURCE: Final = """
import os, random, select, signal, sys, threading, time
from itertools import count

import telemetry
from telemetry.jobs import monitor_job
from telemetry.jobs.recorder.spool import Spool

log_file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
threads, shortest, longest = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])


def log(event, run_id):
    os.write(log_file, f"{event} {run_id}\\n".encode())
    if event == "started" and begun:
        os.write(begun.pop(), b".")


def fork(run, kind):
    # What the child does with the run ends none of the parent's. It may have a run of its own.
    child = os.fork()
    if child:
        log("forked" if os.waitpid(child, 0)[1] == 0 else "another", run.run_id)
        return
    signal.alarm(60)
    if kind == 0:
        os._exit(0)
    if kind == 1:
        sys.exit(0)
    if kind == 2:
        raise ValueError("of the child")
    with monitor_job("crash_test") as own:
        log("started", own.run_id)
    log("done", own.run_id)
    os._exit(0)


def work():
    process = os.getpid()
    try:
        work_in(process)
    finally:
        if os.getpid() != process:
            os._exit(0)


def work_in(process):
    while not stop.is_set():
        error = None
        try:
            with monitor_job("crash_test") as run:
                log("started", run.run_id)
                if (number := next(numbers)) < forks:
                    fork(run, number % 4)
                time.sleep(random.uniform(shortest, max(shortest, longest)))
                if random.random() < 0.3:
                    error = ValueError("no")
                    raise error
        except Exception as raised:
            if os.getpid() != process:
                return
            if raised is not error:
                log("another", run.run_id)
            log("failed", run.run_id)
        else:
            log("done", run.run_id)


def run_worker():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    telemetry.start()
    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    stop.wait()
    for worker in workers:
        worker.join()
    telemetry.shutdown()


def kill_workers(kills):
    victims = []
    for number in range(kills + 1):
        if number < kills:
            reading, writing = os.pipe()
            victims.append((os.fork(), reading))
            if not victims[-1][0]:
                begun.append(writing)
                run_worker()
                os._exit(0)
            os.close(writing)
        while len(victims) > (number < kills):  # one that is begun beside one that is killed
            time.sleep(random.uniform(0.3, 1.2))
            victim, reading = victims.pop(0)
            select.select([reading], [], [], 60)  # on a busy machine it may not have begun a run yet
            os.close(reading)
            os.kill(victim, signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]) == -signal.SIGKILL


stop, begun = threading.Event(), []
numbers, forks = count(), int(os.environ.get("FORKS", 0))
if size := int(os.environ.get("SPOOL_BYTES", 0)):
    Spool.__init__.__defaults__ = size, size // 4, ""
kills = int(sys.argv[5])
kill_workers(kills) if kills else run_worker()
"""
_OUTCOMES: Final = {"done": "success", "failed": "error", "another": "another"}


@dataclass(frozen=True)
class RunComparison:
    """The runs as the processes logged them, compared with the rows of the table."""

    started: set[str]
    returned: dict[str, str]
    rows: dict[str, tuple[str, str | None]]
    forked: int = 0

    @property
    def running(self) -> set[str]:
        return {run_id for run_id, (status, _) in self.rows.items() if status == "running"}

    @property
    def killed(self) -> set[str]:
        """Started, and their callers never got a result."""
        return self.started - self.returned.keys()

    @property
    def without_a_row(self) -> set[str]:
        return self.started - self.rows.keys()

    @property
    def mismatched(self) -> dict[str, tuple[str, tuple[str, str | None] | None]]:
        """Runs whose row differs from the result that their caller got: run id to both."""
        return {
            run_id: (outcome, self.rows.get(run_id))
            for run_id, outcome in self.returned.items()
            if self.rows.get(run_id, ("", None))[1] != outcome
        }

    def outcomes(self) -> Counter[str | None]:
        return Counter(outcome for _, outcome in self.rows.values())


class CrashWorkers:
    def __init__(self, programs: Programs, engine: Engine, log: str = "runs.log", **environment: str) -> None:
        self._programs, self._engine = programs, engine
        self._source = programs.write("crash_worker.py", SOURCE)
        self._log = programs.home / log
        self._environment = {"DATABASE_URL": engine.url.render_as_string(hide_password=False), **environment}

    def start(
        self, threads: int = 10, shortest: float = 0.0, longest: float = 0.3, *, kills: int = 0, **environment: str
    ) -> Program:
        """Start a process with this many concurrent jobs of this duration in seconds; with `kills`, a killer of such processes.

        Returns when the first job has started.
        """
        before = len(self._lines())
        program = self._programs.start(
            str(self._source),
            str(self._log),
            *map(str, (threads, shortest, longest, kills)),
            **{**self._environment, **environment},
        )
        eventually(lambda: program.process.poll() is not None or len(self._lines()) > before)
        assert program.process.poll() is None, program.said()
        return program

    def compare_runs(self) -> RunComparison:
        said = [line.split() for line in self._lines()]
        with transaction(self._engine) as session:
            row = JobRunRow
            rows = session.execute(
                select(row.run_id, row.status, row.outcome).where(row.job_name == "crash_test")
            ).all()
        return RunComparison(
            {run_id for what, run_id in said if what == "started"},
            {run_id: _OUTCOMES[what] for what, run_id in said if what in _OUTCOMES},
            {run_id: (status, outcome) for run_id, status, outcome in rows},
            sum(what == "forked" for what, _ in said),
        )

    def _lines(self) -> list[str]:
        """The lines of the log."""
        return self._log.read_text().splitlines() if self._log.exists() else []


def kill(program: Program) -> None:
    program.process.send_signal(signal.SIGKILL)
    program.process.wait(30)
