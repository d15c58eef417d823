import os

import pytest

from telemetry.processes.registry import ProcessRegistry
from telemetry.profiling import KeptProfiles, NoProfile, kept_profiles


@pytest.fixture
def registered(tmp_path):
    registry = ProcessRegistry(tmp_path)
    registry.register()
    yield tmp_path
    registry.release()


@pytest.fixture
def with_program(monkeypatch):
    def use(program):
        monkeypatch.setattr(kept_profiles, "find_py_spy", lambda: program)

    return use


def test_this_process_is_profiled_and_the_drawing_is_kept(registered, py_spy, with_program):
    with_program(py_spy.samples_at_once())
    kept = KeptProfiles(registered, "shop")

    sentence = kept.take(5)

    [profile] = kept.newest()
    drawing = kept.path_of(profile.name).read_text()
    assert sentence == f"{profile.name} has 4 samples of 5 s."
    assert profile.size == len(drawing)
    assert f"main (pid {os.getpid()}): 4 samples" in drawing
    assert "shop: 1 process, " in drawing
    assert not kept.is_being_taken()


def test_the_thread_that_waits_for_the_profile_is_left_out(registered, py_spy, with_program):
    own = "main (a.py:1);KeptProfiles.take (telemetry/profiling/kept_profiles.py:90)"
    with_program(py_spy.samples_at_once(stacks=f"{own} 7\nmain (a.py:1);work (b.py:2) 3"))

    sentence = KeptProfiles(registered, "shop").take(5)

    assert sentence.endswith(" has 3 samples of 5 s.")


def test_only_the_newest_are_kept(registered, py_spy, with_program):
    with_program(py_spy.samples_at_once())
    (registered / "profiles").mkdir()
    for hour in range(12):
        (registered / f"profiles/profile-20200101T{hour:02}0000Z.svg").write_text("old")
    (registered / "profiles/mine.txt").write_text("not a profile")

    kept = KeptProfiles(registered, "shop")
    kept.take(5)

    names = [each.name for each in kept.newest()]
    assert len(names) == kept_profiles.MAX_PROFILES
    assert names[-1] == "profile-20200101T030000Z.svg"
    assert (registered / "profiles/mine.txt").exists()


def test_a_refusal_is_said_with_its_process(registered, py_spy, with_program):
    with_program(py_spy.complains("Permission Denied"))

    with pytest.raises(NoProfile, match=rf"main \(pid {os.getpid()}\): may not be read: "):
        KeptProfiles(registered, "shop").take(5)


def test_a_file_that_cannot_be_written_is_said(registered, py_spy, with_program, monkeypatch):
    with_program(py_spy.samples_at_once())
    monkeypatch.setattr(kept_profiles, "_NAME_FORMAT", "no/directory")

    with pytest.raises(NoProfile, match="cannot be written"):
        KeptProfiles(registered, "shop").take(5)


def test_nothing_is_kept_where_none_was_taken(tmp_path):
    kept = KeptProfiles(tmp_path, "shop")

    assert kept.newest() == []
    assert not kept.is_being_taken()
    assert kept.path_of("profile-20200101T000000Z.svg") is None
