"""The command `profile`: samples the processes of the service, and draws where their time goes."""

import argparse
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from service.cli.exit_codes import FAILURE, SUCCESS, USAGE
from service.cli.output import complain, say
from service.cli.run_progress import Terminal
from service.cli.scheduler import STOP_SIGNALS
from service.cli.units import format_size
from service.database.clock import utcnow
from service.settings import Settings
from telemetry.error_text import safe_text
from telemetry.profiling import (
    FoundProcesses,
    OutputRefused,
    OwnProfile,
    ProcessProfile,
    ProfileOutput,
    ProfileRecording,
    ProfileTarget,
    ProfileText,
    PySpyMissing,
    SamplingOptions,
    find_processes,
    find_py_spy,
)

_SIGNAL_BASE: Final = 128


class _NothingToProfile(Exception):
    """No process can be profiled. The message says why."""


def profile(options: argparse.Namespace) -> int:
    """Profile the processes of the service for some seconds, and write one file."""
    settings = Settings.read()
    try:
        output = ProfileOutput.checked(
            options.output or default_output(), overwrite=options.force, hint=", or add --force"
        )
        targets = _targets(settings.data_dir, options.pid)
        program = find_py_spy()
    except (OutputRefused, _NothingToProfile) as error:
        return complain(str(error), USAGE)
    except PySpyMissing as error:
        return complain(str(error))
    recording = ProfileRecording(program, targets, SamplingOptions(options.rate, options.gil), options.seconds)
    names = ", ".join(target.name for target in targets)
    say(
        f"Profiling {names} for {options.seconds} s at {options.rate} Hz. Ctrl-C ends it early, and keeps what there is."
    )
    return _record_and_write(recording, output)


def default_output() -> Path:
    return Path(f"profile-{utcnow():%Y%m%dT%H%M%SZ}.svg")


def _targets(data_dir: Path, pid: int | None) -> Sequence[ProfileTarget]:
    try:
        found = find_processes(data_dir)
    except OSError as error:
        raise _NothingToProfile(
            f"The processes of DATA_DIR={data_dir} cannot be read ({error.strerror}): "
            "run this command as the user of the service, or as root."
        ) from None
    if found.elsewhere:
        complain(
            f"{found.elsewhere} more of DATA_DIR={data_dir} run in another container, on another machine or as another user."
        )
    if pid is not None:
        return [_target_of(pid, found, data_dir)]
    if not found.here:
        raise _NothingToProfile(f"No process of the service with DATA_DIR={data_dir} runs here.")
    return found.here


def _target_of(pid: int, found: FoundProcesses, data_dir: Path) -> ProfileTarget:
    if target := found.of_pid(pid):
        return target
    running = ", ".join(each.name for each in found.here) or "none"
    what = "is of another program" if Path(f"/proc/{pid}").exists() else "does not exist"
    raise _NothingToProfile(f"Process {pid} {what}. Of the service with DATA_DIR={data_dir} run here: {running}.")


def _record_and_write(recording: ProfileRecording, output: ProfileOutput) -> int:
    received = _note_signals()
    try:
        profiles = _record(recording, received)
        _complain_of(profiles)
        if not any(each.counts for each in profiles):
            return complain(_why_empty(profiles), _exit_code(received, FAILURE))
        output.write(profiles, describe(profiles, recording))
    except (OutputRefused, OSError) as error:
        return complain(str(error) if isinstance(error, OutputRefused) else f"py-spy cannot run: {safe_text(error)}.")
    say(f"Wrote {output.path} ({format_size(output.path.stat().st_size)}): {_counted(profiles)}.")
    return _exit_code(received, SUCCESS)


def _note_signals() -> list[int]:
    """Let the first stop signal end the recording, and the next one end the process.

    Returns:
        A list that will contain the number of the first signal.
    """
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        for each in STOP_SIGNALS:
            signal.signal(each, signal.SIG_DFL)

    for each in STOP_SIGNALS:
        signal.signal(each, note)
    return received


def _record(recording: ProfileRecording, received: Sequence[int]) -> list[ProcessProfile]:
    terminal = Terminal.of(sys.stderr)
    shown = -1.0

    def show(passed: float) -> None:
        nonlocal shown
        if terminal is not None and passed - shown >= terminal.interval:
            shown = passed
            terminal.show(f"profile: {passed:.0f} s of {recording.seconds} s")

    profiles = recording.record(lambda: bool(received), show)
    if terminal is not None:
        terminal.clear()
    return profiles


def _complain_of(profiles: Sequence[ProcessProfile]) -> None:
    """One line for each reason, with the processes that it holds for."""
    for problem in dict.fromkeys(each.problem for each in profiles if each.problem):
        complain(f"{', '.join(each.target.name for each in profiles if each.problem == problem)}: {problem}.")


def _exit_code(received: Sequence[int], otherwise: int) -> int:
    return _SIGNAL_BASE + received[0] if received else otherwise


def _why_empty(profiles: Sequence[ProcessProfile]) -> str:
    if any(not each.problem for each in profiles):
        return "No file was written: every thread was idle. Profile the service while it works."
    return "No file was written."


def describe(profiles: Sequence[ProcessProfile], recording: ProfileRecording) -> ProfileText:
    number = len([each for each in profiles if each.counts])
    return _text(f"{number} process{'' if number == 1 else 'es'}", profiles, recording.options)


def _text(what: str, profiles: Sequence[ProcessProfile], options: SamplingOptions) -> ProfileText:
    threads = "threads that hold the GIL" if options.gil_only else "busy threads; idle ones are left out"
    return ProfileText(
        f"{Settings.service_name}: {what}, {utcnow():%Y-%m-%d %H:%M} UTC",
        f"{_counted(profiles)}, {options.rate} Hz, {threads}",
        options.rate,
    )


def _counted(profiles: Sequence[ProcessProfile]) -> str:
    samples, failed = sum(each.counts.total() for each in profiles), sum(each.failed for each in profiles)
    return f"{samples:,} samples" + (f" ({failed:,} more could not be read)" if failed else "")


@contextmanager
def profiled_run(file: Path | None, job_name: str) -> Generator[None]:
    """Profile this process while the block runs, and write the file however the block ends. Without a file, do nothing.

    Raises:
        OutputRefused, OwnProfileRefused, PySpyMissing: before the block runs.
    """
    if file is None:
        yield
        return
    output, options = ProfileOutput.checked(file), SamplingOptions()
    own = OwnProfile(find_py_spy(), job_name, options)
    own.start()
    try:
        yield
    finally:
        _write_run(own.finish(), output, f"run-job {job_name}", options)


def _write_run(profile: ProcessProfile, output: ProfileOutput, title: str, options: SamplingOptions) -> None:
    """Print what became of the profile. The exit code is that of the job."""
    if not profile.counts:
        complain(f"{output.path} was not written: {profile.problem or 'the run was too short for a sample'}.")
        return
    try:
        output.write([profile], _text(title, [profile], options))
    except OutputRefused as error:
        complain(str(error))
    else:
        complain(f"Wrote {output.path}: {_counted([profile])}.")
