"""The flamegraphs that the console has asked for: a few files in the data directory, taken one at a time on this machine."""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from telemetry import private_files
from telemetry.processes.file_lock import FileLock, is_locked
from telemetry.profiling.profile_output import OutputRefused, ProfileOutput, ProfileText
from telemetry.profiling.profile_recording import ProfileRecording
from telemetry.profiling.profile_targets import find_processes
from telemetry.profiling.ptrace_permission import allow_children, disallow_children
from telemetry.profiling.py_spy import ProcessProfile, SamplingOptions, find_py_spy

DIRECTORY: Final = "profiles"
MAX_PROFILES: Final = 10
"""As many are kept, the newest."""
_LOCK: Final = "taken.lock"
_NAME: Final = re.compile(r"profile-\d{8}T\d{6}Z\.svg", re.ASCII)
_NAME_FORMAT: Final = "profile-%Y%m%dT%H%M%SZ.svg"
_OWN_FRAME: Final = re.compile(r"(KeptProfiles\.)?take \(telemetry/profiling/kept_profiles\.py")
_RATE: Final = 50


class NoProfile(Exception):
    """No profile was taken. The message says why."""


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """A flamegraph. `taken_at` is in seconds since 1970, `size` in bytes."""

    name: str
    taken_at: float
    size: int


class KeptProfiles:
    """The flamegraphs of a data directory."""

    def __init__(self, data_dir: Path, title: str) -> None:
        self._data_dir = data_dir
        self._directory = data_dir / DIRECTORY
        self._title = title

    def newest(self) -> Sequence[KeptProfile]:
        """Those that are kept, the newest first.

        Raises:
            OSError: the directory cannot be read.
        """
        found = []
        with suppress(FileNotFoundError):
            for path in self._directory.iterdir():
                if _NAME.fullmatch(path.name):
                    status = path.stat()
                    found.append(KeptProfile(path.name, status.st_mtime, status.st_size))
        return sorted(found, key=lambda each: each.name, reverse=True)

    def path_of(self, name: str) -> Path | None:
        """The file of a profile; None if there is none of that name."""
        path = self._directory / name
        return path if _NAME.fullmatch(name) and path.is_file() else None

    def is_being_taken(self) -> bool:
        """Whether one is being taken now, by any process of the machine."""
        try:
            with (self._directory / _LOCK).open("rb") as file:
                return is_locked(file.fileno())
        except OSError:
            return False

    def take(self, seconds: int) -> str:
        """Profile all processes of the data directory on this machine, this one among them. Returns what became of it.

        Raises:
            NoProfile: one is being taken, no process may be read, or every thread was idle.
            PySpyMissing: py-spy is not installed.
            OSError: the directory cannot be used, or the disk is full.
        """
        program = find_py_spy()
        private_files.make_directory(self._directory)
        if (lock := FileLock.acquire(self._directory / _LOCK)) is None:
            raise NoProfile("A profile is being taken already. Wait until it is in the list.")
        with closing(lock):
            targets = find_processes(self._data_dir, with_this_one=True).here
            if not targets:
                raise NoProfile("No process of this service is registered in DATA_DIR, so none can be profiled.")
            allow_children()
            try:
                recording = ProfileRecording(program, targets, SamplingOptions(_RATE), seconds)
                profiles = [_without_this(each) for each in recording.record(lambda: False, lambda _passed: None)]
            finally:
                disallow_children()
            return self._keep(profiles, seconds)

    def _keep(self, profiles: Sequence[ProcessProfile], seconds: int) -> str:
        problems = [f"{each.target.name}: {each.problem}" for each in profiles if each.problem]
        samples = sum(each.counts.total() for each in profiles)
        if not samples:
            raise NoProfile(
                f"{'; '.join(problems) or 'Every thread was idle: take a profile while the service works'}."
            )
        now = datetime.now(UTC)
        number = len([each for each in profiles if each.counts])
        text = ProfileText(
            f"{self._title}: {number} process{'' if number == 1 else 'es'}, {now:%Y-%m-%d %H:%M} UTC",
            f"{samples:,} samples in {seconds} s, {_RATE} Hz, busy threads; idle ones are left out",
            _RATE,
        )
        try:
            output = ProfileOutput(self._directory / now.strftime(_NAME_FORMAT))
            output.write(profiles, text)
        except OutputRefused as error:
            raise NoProfile(str(error)) from error
        self._prune()
        return "; ".join([f"{output.path.name} has {samples:,} samples of {seconds} s", *problems]) + "."

    def _prune(self) -> None:
        for each in self.newest()[MAX_PROFILES:]:
            (self._directory / each.name).unlink(missing_ok=True)


def _without_this(profile: ProcessProfile) -> ProcessProfile:
    """Without the thread that waits for the profile."""
    counts = {stack: count for stack, count in profile.counts.items() if not any(map(_OWN_FRAME.match, stack))}
    return replace(profile, counts=Counter(counts))
