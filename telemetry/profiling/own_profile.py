"""A profile of this process, by a child: for the time of one job run."""

import os
import tempfile
from pathlib import Path
from typing import Final

from telemetry.profiling.profile_targets import ProfileTarget
from telemetry.profiling.ptrace_permission import allow_children, disallow_children
from telemetry.profiling.py_spy import ProcessProfile, PySpy, SamplingOptions

START_SECONDS: Final = 15.0
"""How long py-spy may take until it samples."""


class OwnProfileRefused(Exception):
    """This process cannot be profiled. The message says why."""


class OwnProfile:
    """Samples this process from `start` to `finish`. The end of the process ends the sampling, too."""

    def __init__(self, program: Path, name: str, options: SamplingOptions) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="profile-", ignore_cleanup_errors=True)
        target = ProfileTarget(os.getpid(), f"{name} (pid {os.getpid()})")
        self._run = PySpy(program, target, options, Path(self._directory.name))

    def start(self) -> None:
        """Return as soon as samples are taken.

        Raises:
            OwnProfileRefused: none are.
        """
        allow_children()
        try:
            self._run.start()
        except OSError as error:
            self.finish()
            raise OwnProfileRefused(f"py-spy cannot be started ({error.strerror}).") from None
        if not self._run.wait_until_sampling(START_SECONDS):
            raise OwnProfileRefused(
                f"{self._run.target.name}: {self.finish().problem or 'py-spy took no sample in time'}"
            )

    def finish(self) -> ProcessProfile:
        """What was sampled; within a few seconds."""
        try:
            self._run.stop()
            return self._run.profile()
        finally:
            disallow_children()
            self._directory.cleanup()
