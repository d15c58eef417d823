"""Labour: a process that does nothing but run jobs, and says of each when its body begins and when its caller has the result.

What it says is the system's at once, and so outlives it: whoever kills it knows what has to be in the table.
And a killer: a process that forks such processes one after the other, and kills each with -9 at a random moment.
Nothing has to be imported anew for it, so there are many kills a minute on a slow machine too.
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
import os, random, signal, sys, threading, time

import telemetry
from telemetry.jobs import monitor_job

said = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
threads, shortest, longest = int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])


def say(what, run_id):
    os.write(said, f"{what} {run_id}\\n".encode())


def work():
    while not stop.is_set():
        error = None
        try:
            with monitor_job("labour") as run:
                say("begun", run.run_id)
                time.sleep(random.uniform(shortest, max(shortest, longest)))
                if random.random() < 0.3:
                    error = ValueError("no")
                    raise error
        except Exception as raised:
            if raised is not error:
                say("another", run.run_id)
            say("failed", run.run_id)
        else:
            say("done", run.run_id)


def labour():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    telemetry.start()
    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    stop.wait()
    for worker in workers:
        worker.join()
    telemetry.shutdown()


def kill_one_after_the_other(kills):
    victims = []
    for number in range(kills + 1):
        if number < kills:
            victims.append(os.fork())
            if not victims[-1]:
                labour()
                os._exit(0)
        while len(victims) > (number < kills):  # one that is begun beside one that is killed
            time.sleep(random.uniform(0.3, 1.2))
            victim = victims.pop(0)
            os.kill(victim, signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1]) == -signal.SIGKILL


stop = threading.Event()
kills = int(sys.argv[5])
kill_one_after_the_other(kills) if kills else labour()
"""
_OUTCOMES: Final = {"done": "success", "failed": "error", "another": "another"}


@dataclass(frozen=True)
class Account:
    """What the processes said of their runs, against what the table says of them."""

    begun: set[str]
    returned: dict[str, str]
    rows: dict[str, tuple[str, str | None]]

    @property
    def running(self) -> set[str]:
        return {run_id for run_id, (status, _) in self.rows.items() if status == "running"}

    @property
    def killed(self) -> set[str]:
        """Begun, and nobody had their result."""
        return self.begun - self.returned.keys()

    @property
    def without_a_row(self) -> set[str]:
        return self.begun - self.rows.keys()

    @property
    def wrong(self) -> dict[str, tuple[str, tuple[str, str | None] | None]]:
        """Whose caller had a result, and whose row says another."""
        return {
            run_id: (outcome, self.rows.get(run_id))
            for run_id, outcome in self.returned.items()
            if self.rows.get(run_id, ("", None))[1] != outcome
        }

    def outcomes(self) -> Counter[str | None]:
        return Counter(outcome for _, outcome in self.rows.values())


class Labour:
    def __init__(self, programs: Programs, engine: Engine, **environment: str) -> None:
        self._programs, self._engine = programs, engine
        self._source = programs.write("labour.py", SOURCE)
        self._said = programs.home / "said"
        self._environment = {"DATABASE_URL": engine.url.render_as_string(hide_password=False), **environment}

    def begin(
        self, threads: int = 10, shortest: float = 0.0, longest: float = 0.3, *, kills: int = 0, **environment: str
    ) -> Program:
        """A process with so many jobs at a time, each of so many seconds; or one that kills so many of these, and ends.

        Returns when the first has begun.
        """
        before = len(self._lines())
        program = self._programs.start(
            str(self._source),
            str(self._said),
            *map(str, (threads, shortest, longest, kills)),
            **{**self._environment, **environment},
        )
        eventually(lambda: program.process.poll() is not None or len(self._lines()) > before)
        assert program.process.poll() is None, program.said()
        return program

    def account(self) -> Account:
        said = [line.split() for line in self._lines()]
        with transaction(self._engine) as session:
            row = JobRunRow
            rows = session.execute(select(row.run_id, row.status, row.outcome).where(row.job_name == "labour")).all()
        return Account(
            {run_id for what, run_id in said if what == "begun"},
            {run_id: _OUTCOMES[what] for what, run_id in said if what != "begun"},
            {run_id: (status, outcome) for run_id, status, outcome in rows},
        )

    def _lines(self) -> list[str]:
        """The whole ones."""
        return self._said.read_text().splitlines() if self._said.exists() else []


def kill(program: Program) -> None:
    program.process.send_signal(signal.SIGKILL)
    program.process.wait(30)
