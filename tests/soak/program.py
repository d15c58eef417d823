"""What a soak runs: the real service with two more jobs and a route that fails, and a sandbox with a clock of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT, Program, Programs, free_port
from tests.support.sandboxed_service import OPS_TOKEN

SHORT_JOB: Final = "soak_short"
SHORT_EVERY: Final = 2
LONG_JOB: Final = "soak_long"
FAILING_ROUTE: Final = "/soak/error"
ERROR_TYPE: Final = "SoakError"
ERROR_SHARE: Final = 0.02
_APP: Final = f"""
import os
import random
import time
from datetime import timedelta

import service.bootstrap
from opentelemetry import trace
from service.main import create_app
from service.scheduler.cadence import Every
from service.scheduler.job import Job

runs = os.open(os.environ["SOAK_RUNS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


class {ERROR_TYPE}(Exception):
    pass


def note(word):
    span = trace.get_current_span().get_span_context().span_id
    os.write(runs, f"{{word}} {{span:016x}}\\n".encode())


def short(context):
    note("started")
    time.sleep(random.uniform(0.1, 1.2))
    if random.random() < {ERROR_SHARE}:
        note("failed")
        raise {ERROR_TYPE}("A job fails.")
    note("done")
    return {{}}


def long(context):
    note("started")
    for _ in range(200):
        time.sleep(0.1)
    note("done")
    return {{}}


service.bootstrap.JOBS += (
    Job("{SHORT_JOB}", Every(timedelta(seconds={SHORT_EVERY})), short),
    Job("{LONG_JOB}", Every(timedelta(seconds=30)), long),
)
app = create_app()


@app.get("{FAILING_ROUTE}")
def fail():
    raise {ERROR_TYPE}("A request fails.")


@app.get("{FAILING_ROUTE}/{{kind}}")
def fail_by_another_name(kind: str):
    raise type(kind, (Exception,), {{}})("An error of its own.")
"""
_SERVE: Final = """
import sys

if __name__ == "__main__":
    from service.cli import parser, serve

    serve._APP = "soak_app:app"
    sys.exit(parser.main())
"""


@dataclass(frozen=True)
class SoakedService:
    """The service, its sandbox, and the file in which the jobs note what they do."""

    service: Program
    sandbox: Program
    runs: Path

    @classmethod
    def start(
        cls,
        programs: Programs,
        disk: Path,
        database_url: str,
        *,
        sandbox: Program | None = None,
        workers: int = 2,
        faults: float = ERROR_SHARE,
    ) -> "SoakedService":
        """Data and logs are on `disk`. Without a `sandbox` that runs already, one is started."""
        sandbox, runs = sandbox or start_sandbox(programs, faults), programs.home / "runs.log"
        programs.write("soak_app.py", _APP)
        launcher = programs.write("soak_serve.py", _SERVE)
        service = programs.start(
            str(launcher),
            *("serve", "--workers", str(workers)),
            SANDBOX="true",
            SANDBOX_PORT=str(sandbox.port),
            OPS_TOKEN=OPS_TOKEN,
            DATABASE_URL=database_url,
            DATA_DIR=str(disk / "data"),
            LOG_DIR=str(disk / "log"),
            SOAK_RUNS=str(runs),
            MALLOC_ARENA_MAX="2",  # as in the image
            ALERT_THRESHOLD_MEMORY="99",  # the other programs of this machine are nobody's fault
        )
        service.wait_for("/readyz", within=90)
        return cls(service, sandbox, runs)


def start_sandbox(programs: Programs, faults: float) -> Program:
    """The world outside, with a clock that no test sets."""
    port = free_port()
    flags = ("--port", str(port), "--faults", str(faults), "--option=wb_reviews_every=60")
    sandbox = programs.start("-m", "service.sandbox", *flags, port=port, PYTHONPATH=str(ROOT))
    sandbox.wait_for("/")
    return sandbox
