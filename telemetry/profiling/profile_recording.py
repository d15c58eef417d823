"""Samples several processes at the same time, each by a py-spy of its own."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.profiling.profile_targets import ProfileTarget
from telemetry.profiling.py_spy import ProcessProfile, PySpy, SamplingOptions

GRACE_SECONDS: Final = 15.0
"""How much longer than asked py-spy may take, such as to begin on a busy machine."""
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class ProfileRecording:
    """What is recorded, and by what.

    Attributes:
        program: of `find_py_spy`.
        seconds: for how long.
    """

    program: Path
    targets: Sequence[ProfileTarget]
    options: SamplingOptions
    seconds: int

    def record(self, should_stop: Callable[[], bool], on_progress: Callable[[float], None]) -> list[ProcessProfile]:
        """Record all processes, within `seconds` and a bounded delay.

        Args:
            should_stop: asked several times a second; True ends the recording, and what was sampled is kept.
            on_progress: receives the seconds since the start, several times a second.

        Raises:
            OSError: py-spy cannot be started, or the disk is full.
        """
        with tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True) as directory:
            runs = [PySpy(self.program, target, self.options, Path(directory)) for target in self.targets]
            try:
                for run in runs:
                    run.start(self.seconds)
                self._wait(runs, should_stop, on_progress)
            finally:
                for run in runs:
                    run.interrupt()  # all at once, before each is waited for
                for run in runs:
                    run.stop()
            return [run.profile() for run in runs]

    def _wait(
        self, runs: Sequence[PySpy], should_stop: Callable[[], bool], on_progress: Callable[[float], None]
    ) -> None:
        started = time.monotonic()
        while any(run.is_running for run in runs):
            passed = time.monotonic() - started
            if should_stop() or passed > self.seconds + GRACE_SECONDS:
                return
            on_progress(passed)
            time.sleep(_POLL_SECONDS)
