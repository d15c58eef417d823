import subprocess
import sys
import time
from pathlib import Path

import pytest

from telemetry.profiling import ProfileTarget, PySpyMissing, SamplingOptions, find_py_spy
from telemetry.profiling import py_spy as module
from telemetry.profiling.own_profile import OwnProfile, OwnProfileRefused
from telemetry.profiling.profile_recording import ProfileRecording
from telemetry.profiling.py_spy import PySpy

COUNTS = {("main (a.py:1)", "work (service/b.py:2)"): 3, ("main (a.py:1)",): 1}


def record(program, *targets, seconds=5, should_stop=lambda: False, progress=lambda _passed: None):
    return ProfileRecording(program, targets, SamplingOptions(), seconds).record(should_stop, progress)


def test_several_processes_are_sampled_each_by_its_own_run(py_spy, target):
    profiles = record(py_spy.samples_at_once(), target, ProfileTarget(1, "worker 1"))

    assert [each.target.name for each in profiles] == ["worker 0 (pid 1)", "worker 1"]
    assert [each.counts for each in profiles] == [COUNTS, COUNTS]
    assert [(each.problem, each.failed) for each in profiles] == [("", 2), ("", 2)]


def test_it_never_pauses_the_process_and_never_reads_local_variables(py_spy, target, tmp_path):
    run = PySpy(py_spy.samples_at_once(), target, SamplingOptions(50, gil_only=True), tmp_path)
    run.start(7)
    run.wait_until_sampling(30)
    run.stop()

    given = py_spy.arguments
    assert given[:8] == ["record", "--nonblocking", "--pid", str(target.pid), "--rate", "50", "--format", "raw"]
    assert given[8:11] == ["--gil", "--duration", "7"]
    assert "--locals" not in given


def test_a_stop_keeps_what_there_is(py_spy, target):
    began = time.monotonic()

    [profile] = record(
        py_spy.samples_until_interrupted(), target, seconds=60, should_stop=lambda: time.monotonic() - began > 1
    )

    assert profile.counts == COUNTS


def test_the_progress_is_told_in_seconds(py_spy, target):
    passed = []

    record(py_spy.samples_until_interrupted(), target, should_stop=lambda: len(passed) > 2, progress=passed.append)

    assert passed == sorted(passed)
    assert passed[0] < passed[-1]


def test_a_run_that_is_over_its_time_is_ended(py_spy, target, monkeypatch):
    monkeypatch.setattr("telemetry.profiling.profile_recording.GRACE_SECONDS", 1)

    [profile] = record(py_spy.samples_until_interrupted(), target, seconds=0)

    assert profile.counts == COUNTS


def test_a_run_that_does_not_end_is_killed(py_spy, target, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.2)

    [profile] = record(py_spy.hangs(), target, should_stop=lambda: True)

    assert profile.problem == "was not sampled: py-spy was ended before it had written anything"


def test_a_process_that_ends_meanwhile_is_said_and_its_samples_are_kept(py_spy, target):
    [profile] = record(py_spy.samples_at_once("py-spy> Stopped sampling because process exited"), target)

    assert profile.problem == "ended during the profile"
    assert profile.counts == COUNTS


def test_a_process_that_is_gone_is_said(py_spy):
    [profile] = record(py_spy.complains("Error: no such process"), ProfileTarget(2**30, "worker 3"))

    assert profile.problem == "has ended"


@pytest.mark.parametrize(
    "sentence",
    [
        "Permission Denied: Try running again",
        "Error: Failed to open process (os error 13)",
        "Error: Operation not permitted (os error 1)",
    ],
)
def test_a_refusal_of_the_kernel_is_explained(py_spy, target, sentence):
    [profile] = record(py_spy.complains(sentence), target)

    assert profile.problem.startswith("may not be read: ")


def test_another_failure_is_repeated_in_one_line(py_spy, target):
    [profile] = record(py_spy.complains("Error: Failed to find python version from target process.\n\nStack"), target)

    assert profile.problem == "py-spy cannot read it: Error: Failed to find python version from target process"


def test_where_there_is_no_nice_it_runs_as_it_is(py_spy, target, monkeypatch):
    program = py_spy.samples_at_once()
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)

    assert record(program, target)[0].counts == COUNTS


def test_a_program_that_is_not_installed_is_said_with_how_to_install_it(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda *_args, **_kwargs: None)

    with pytest.raises(PySpyMissing, match=r"py-spy is not installed: pip install '\.\[profiling\]'"):
        find_py_spy()


def test_this_process_is_profiled_until_it_says_so(py_spy):
    own = OwnProfile(py_spy.samples_until_interrupted(), "run-job", SamplingOptions())
    own.start()

    profile = own.finish()

    assert profile.counts == COUNTS
    assert profile.target.name.startswith("run-job (pid ")


def test_a_profile_of_this_process_that_is_refused_says_why(py_spy):
    own = OwnProfile(py_spy.complains("Permission Denied"), "run-job", SamplingOptions())

    with pytest.raises(OwnProfileRefused, match=r"run-job \(pid \d+\): may not be read: "):
        own.start()


def test_a_profile_of_this_process_that_does_not_begin_is_refused(py_spy, monkeypatch):
    monkeypatch.setattr("telemetry.profiling.own_profile.START_SECONDS", 0.2)
    own = OwnProfile(py_spy.never_begins(), "run-job", SamplingOptions())

    with pytest.raises(OwnProfileRefused, match=r"run-job"):
        own.start()


def test_a_program_that_cannot_be_started_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    own = OwnProfile(tmp_path / "nothing", "run-job", SamplingOptions())

    with pytest.raises(OwnProfileRefused, match=r"py-spy cannot be started \(No such file"):
        own.start()


BUSY = """
import sys, threading
def hot_on_purpose():
    return sum(each * each for each in range(500))
def rest():
    threading.Event().wait()
threading.Thread(target=rest, daemon=True).start()
print("begun", flush=True)
while True:
    hot_on_purpose()
"""


@pytest.mark.e2e
def test_the_real_one_finds_the_function_that_is_hot(tmp_path: Path):
    (script := tmp_path / "busy.py").write_text(BUSY)
    process = subprocess.Popen([sys.executable, "-S", str(script)], stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        [profile] = record(find_py_spy(), ProfileTarget(process.pid, "busy"), seconds=2)
    finally:
        process.kill()
        process.communicate()

    if profile.problem.startswith("may not be read"):
        pytest.skip(profile.problem)
    hot = sum(count for stack, count in profile.counts.items() if any("hot_on_purpose" in frame for frame in stack))
    assert hot >= 0.5 * profile.counts.total() > 0
    assert not any("rest" in frame for stack in profile.counts for frame in stack)
