import json
import stat
from collections import Counter
from pathlib import Path

import pytest

from telemetry.profiling import OutputRefused, ProcessProfile, ProfileOutput, ProfileTarget, ProfileText

TEXT = ProfileText("a title", "a subtitle", 100)


def profile(name, **counts):
    return ProcessProfile(ProfileTarget(1, name), Counter({(frame,): count for frame, count in counts.items()}))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("profile.txt", "expected a name that ends in .svg"),
        ("a.directory.svg", "is a directory: name a file in it"),
        ("nowhere/profile.svg", "is no directory: create it, or name another file"),
        ("there.svg", "exists: name another file, or so"),
    ],
)
def test_a_file_that_could_not_be_written_is_refused_beforehand(tmp_path: Path, name, reason):
    (tmp_path / "a.directory.svg").mkdir()
    (tmp_path / "there.svg").write_text("mine")

    with pytest.raises(OutputRefused, match=reason):
        ProfileOutput.checked(tmp_path / name, hint=", or so")

    assert (tmp_path / "there.svg").read_text() == "mine"


def test_a_directory_without_permission_is_refused_beforehand():
    with pytest.raises(OutputRefused, match=r"/proc/profile\.svg cannot be written"):
        ProfileOutput.checked(Path("/proc/profile.svg"))


def test_the_check_leaves_nothing_behind(tmp_path):
    ProfileOutput.checked(tmp_path / "profile.svg")

    assert list(tmp_path.iterdir()) == []


def test_a_flamegraph_has_the_process_as_first_frame_and_only_its_owner_can_read_it(tmp_path):
    output = ProfileOutput.checked(tmp_path / "profile.svg")

    output.write([profile("worker 0", hot=3), profile("worker 1", hot=1), profile("idle one")], TEXT)

    drawing = output.path.read_text()
    assert "worker 0: 3 samples, 75.0%" in drawing
    assert "worker 1: 1 samples, 25.0%" in drawing
    assert "idle one" not in drawing
    assert "a subtitle" in drawing
    assert stat.S_IMODE(output.path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["profile.svg"]


def test_a_file_for_speedscope_has_all_processes_and_each(tmp_path):
    output = ProfileOutput.checked(tmp_path / "profile.json")

    output.write([profile("worker 0", hot=3), profile("worker 1", hot=1)], TEXT)

    assert [each["name"] for each in json.loads(output.path.read_text())["profiles"]] == [
        "all processes",
        "worker 0",
        "worker 1",
    ]


def test_of_one_process_there_is_one_profile(tmp_path):
    output = ProfileOutput.checked(tmp_path / "profile.json")

    output.write([profile("worker 0", hot=3)], TEXT)

    assert [each["name"] for each in json.loads(output.path.read_text())["profiles"]] == ["worker 0"]


def test_an_existing_file_is_replaced_where_that_is_asked_for(tmp_path):
    (tmp_path / "profile.svg").write_text("old")
    output = ProfileOutput.checked(tmp_path / "profile.svg", overwrite=True)

    output.write([profile("worker 0", hot=3)], TEXT)

    assert "hot" in output.path.read_text()


def test_a_directory_that_is_gone_meanwhile_is_said(tmp_path):
    (directory := tmp_path / "there").mkdir()
    output = ProfileOutput.checked(directory / "profile.svg")
    directory.rmdir()

    with pytest.raises(OutputRefused, match=r"profile\.svg cannot be written \(No such file"):
        output.write([profile("worker 0", hot=3)], TEXT)
