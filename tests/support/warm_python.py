"""A Python with the imports of the telemetry and the service, which take most of the time of a short script.

Each script runs in a fork of it, from its first line to the end of the interpreter: in a process of its own, in which nothing was started before.
"""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT, SOON

_FORKS: Final = """
import gc, json, os, sys, threading
import requests, service.cli.parser, telemetry.setup
from opentelemetry.exporter.otlp.proto.http import _log_exporter, metric_exporter, trace_exporter

gc.freeze()
assert threading.active_count() == 1
for line in sys.stdin.buffer:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    os._exit(0)
os.chdir(asked["home"])
for number, name in enumerate((os.devnull, "out", "err")):
    os.dup2(os.open(name, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600), number)
os.environ.clear()
os.environ.update(asked["environment"])
sys.path.insert(0, asked["home"])
del gc, json, requests, service, telemetry, threading
exec(compile(asked["script"], "script.py", "exec"))
"""


@dataclass(frozen=True)
class EndedScript:
    """The code with which it ended, or the number of its signal below zero, and what it wrote."""

    code: int
    out: str
    err: str


class WarmPython:
    """Runs scripts, one after the other."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, script: str, home: Path, environment: Mapping[str, str]) -> EndedScript:
        """Run a script in its directory to its end. `environment` is all that it has."""
        asked = {"script": script, "home": str(home), "environment": dict(environment)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], 2 * SOON)[0], "The script does not end."
        code = int(self._process.stdout.readline())
        return EndedScript(code, (home / "out").read_text(), (home / "err").read_text())


@contextmanager
def warm_python(*options: str) -> Iterator[WarmPython]:
    """A Python with these options, until the block ends; a script that runs by then is killed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, *options, "-c", _FORKS],
        env={**kept, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield WarmPython(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
