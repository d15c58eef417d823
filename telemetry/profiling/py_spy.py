"""One run of py-spy, which samples one process from outside, and never pauses it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from telemetry.profiling import folded_stacks
from telemetry.profiling.folded_stacks import Stack
from telemetry.profiling.profile_targets import ProfileTarget
from telemetry.profiling.ptrace_permission import why_refused

MIN_RATE: Final = 20
MAX_RATE: Final = 100
DEFAULT_RATE: Final = MIN_RATE
"""py-spy reads the stacks of all threads: at 100 Hz that takes a quarter of a core for each process of the service."""
INSTALL: Final = "pip install '.[profiling]', or pip install py-spy"
STOP_SECONDS: Final = 5.0
"""How long py-spy may take to write what it has."""
_NICENESS: Final = "10"
_POLL_SECONDS: Final = 0.02
_MAX_MESSAGE: Final = 300
_REFUSED: Final = re.compile(r"permission denied|os error 13\b|os error 1\b|operation not permitted", re.IGNORECASE)
_ERRORS: Final = re.compile(r"Samples: (\d+) Errors: (\d+)", re.ASCII)
_BEGUN: Final = "Sampling process"
_TARGET_ENDED: Final = "process exited"


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How processes are sampled.

    Attributes:
        rate: samples per second, `MIN_RATE` to `MAX_RATE`.
        gil_only: only the threads that hold the GIL.
    """

    rate: int = DEFAULT_RATE
    gil_only: bool = False


@dataclass(frozen=True, slots=True)
class ProcessProfile:
    """What was sampled of one process.

    Attributes:
        problem: why nothing, or not all, was sampled, to be put behind the process's name; empty if all was.
        failed: how many samples could not be read, as the process changed its stacks meanwhile.
    """

    target: ProfileTarget
    counts: Counter[Stack] = field(default_factory=Counter)
    problem: str = ""
    failed: int = 0


class PySpyMissing(Exception):
    """py-spy is not installed. The message says how to install it."""


def find_py_spy() -> Path:
    """The program of the optional extra `profiling`: that of this environment, else the one in PATH.

    Raises:
        PySpyMissing: there is none.
    """
    beside = shutil.which(
        "py-spy", path=os.pathsep.join((sysconfig.get_path("scripts"), str(Path(sys.executable).parent)))
    )
    if found := beside or shutil.which("py-spy"):
        return Path(found)
    raise PySpyMissing(f"py-spy is not installed: {INSTALL}")


class PySpy:
    """A child process that samples one process."""

    def __init__(self, program: Path, target: ProfileTarget, options: SamplingOptions, directory: Path) -> None:
        """Prepare the run.

        Args:
            program: of `find_py_spy`.
            target: the process.
            options: how it is sampled.
            directory: an existing one for what py-spy writes; removed by the caller.
        """
        self.target = target
        self._command = _command(program, target, options)
        self._stacks, self._out, self._err = (directory / f"{target.pid}.{name}" for name in ("stacks", "out", "err"))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: int | None = None) -> None:
        """Start to sample: for so many seconds, or until `stop` or the end of the process.

        Raises:
            OSError: the program cannot be started.
        """
        duration = [] if seconds is None else ["--duration", str(seconds)]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(  # noqa: S603  # our own command line
                [*self._command, *duration, "--output", str(self._stacks)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={"PATH": os.environ.get("PATH", os.defpath)},  # no secret of ours
                start_new_session=True,  # Ctrl-C is ours to pass on
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_until_sampling(self, seconds: float) -> bool:
        """Wait until it samples. Returns False if it has ended, or does not in time."""
        deadline = time.monotonic() + seconds
        while _BEGUN not in _text(self._out):
            if not self.is_running or time.monotonic() > deadline:
                return _BEGUN in _text(self._out)
            time.sleep(_POLL_SECONDS)
        return True

    def interrupt(self) -> None:
        """Let it end, and write what it has."""
        if self._process is not None and self.is_running:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """End it: with what it has, if it writes that within `STOP_SECONDS`."""
        self.interrupt()
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def profile(self) -> ProcessProfile:
        """What it has sampled. To be called after its end."""
        said, complained = _text(self._out), _text(self._err)
        if not self._stacks.exists():
            return ProcessProfile(self.target, problem=self._problem(complained))
        failed = int(match[2]) if (match := _ERRORS.search(said)) else 0
        ended = "ended during the profile" if _TARGET_ENDED in said else ""
        return ProcessProfile(self.target, folded_stacks.parse(_text(self._stacks)), ended, failed)

    def _problem(self, complaint: str) -> str:
        if not psutil.pid_exists(self.target.pid):
            return "has ended"
        if _REFUSED.search(complaint):
            return f"may not be read: {why_refused(self.target.pid)}"
        if self._process is not None and (self._process.returncode or 0) < 0:
            return "was not sampled: py-spy was ended before it had written anything"
        reason = next((line for line in complaint.splitlines() if line.strip()), "no message")
        return f"py-spy cannot read it: {reason[:_MAX_MESSAGE].rstrip('.')}"


def _command(program: Path, target: ProfileTarget, options: SamplingOptions) -> list[str]:
    """Always non-blocking: otherwise py-spy pauses the process for each sample. It gives way to the service."""
    nice = shutil.which("nice")
    return [
        *([nice, "-n", _NICENESS] if nice else []),
        str(program),
        "record",
        "--nonblocking",
        *("--pid", str(target.pid)),
        *("--rate", str(options.rate)),
        *("--format", "raw"),
        *(["--gil"] if options.gil_only else []),
    ]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
