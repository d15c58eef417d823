"""The group: who belongs together, who lives, and what is left of whom."""

import os
import stat

import psutil
import pytest

from telemetry.metrics.multiprocess import membership


def ids(directory):
    return set(membership.live_workers(directory))


def test_a_place_is_the_first_that_is_free_and_who_has_it_lives(tmp_path):
    one, other = membership.WorkerSlot.take(tmp_path), membership.WorkerSlot.take(tmp_path)
    assert [one.number, other.number] == [0, 1]
    assert ids(tmp_path) == {one.id, other.id}

    one.leave()
    third = membership.WorkerSlot.take(tmp_path)

    assert third.number == 0
    assert third.id != one.id
    assert ids(tmp_path) == {third.id, other.id}
    for place in (third, other):
        place.leave()
    assert ids(tmp_path) == set()


def test_a_shorter_id_leaves_nothing_of_a_longer_one(tmp_path):
    (tmp_path / "0.place").write_text("0-of-a-worker-whose-name-was-longer")

    place = membership.WorkerSlot.take(tmp_path)

    assert ids(tmp_path) == {place.id}
    place.leave()


def test_who_looks_whether_a_worker_lives_takes_no_place(tmp_path):
    membership.WorkerSlot.take(tmp_path).leave()

    assert ids(tmp_path) == ids(tmp_path) == set()
    again = membership.WorkerSlot.take(tmp_path)

    assert again.number == 0
    again.leave()


def test_a_worker_too_many_has_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr(membership, "_MAX_WORKERS", 1)
    one = membership.WorkerSlot.take(tmp_path)

    with pytest.raises(OSError, match="every place is taken"):
        membership.WorkerSlot.take(tmp_path)
    one.leave()


def test_only_the_owner_may_look_at_a_place(tmp_path):
    place = membership.WorkerSlot.take(tmp_path / "workers" / "1-1")

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "workers").rglob("*")]
    assert sorted(modes) == [0o600, 0o700]
    assert stat.S_IMODE((tmp_path / "workers").stat().st_mode) == 0o700
    place.leave()


def test_files_are_found_by_the_ids_of_their_workers(tmp_path):
    place = membership.WorkerSlot.take(tmp_path)
    place.snapshot.touch()
    place.socket.touch()
    (tmp_path / f".{place.snapshot.name}.partial").touch()
    for name in ("archive", "archive.lock", ".archive.partial"):
        (tmp_path / name).touch()

    assert membership.snapshots(tmp_path) == {place.id: place.snapshot}
    assert {worker for worker, _ in membership.other_files(tmp_path)} == {place.id}
    assert {path.suffix for _, path in membership.other_files(tmp_path)} == {".sock", ".partial"}
    place.leave()


def test_what_a_service_has_left_that_is_gone_is_removed_and_what_lives_is_not(tmp_path):
    gone = tmp_path / "workers" / "999999999-12"
    again = tmp_path / "workers" / f"{os.getpid()}-1"  # the number of a process that began at another time
    here = membership.directory_of(tmp_path, os.getpid())
    foreign = tmp_path / "workers" / "somebody-else"
    for directory in (gone, again, here, foreign):
        directory.mkdir(parents=True)
    (gone / "archive").touch()

    membership.remove_stale_directories(tmp_path)

    assert {*(tmp_path / "workers").iterdir()} == {here, foreign}


def test_workers_whose_parent_is_not_seen_from_here_keep_what_they_have(tmp_path):
    """As those of another container on the same volume."""
    elsewhere = tmp_path / "workers" / "999999999-12"
    place = membership.WorkerSlot.take(elsewhere)

    membership.remove_stale_directories(tmp_path)
    assert elsewhere.exists()

    place.leave()
    membership.remove_stale_directories(tmp_path)
    assert not elsewhere.exists()


def test_a_parent_is_the_same_for_all_who_ask_and_a_process_that_is_not_there_is_nobody(tmp_path):
    assert membership.directory_of(tmp_path, os.getpid()) == membership.directory_of(tmp_path, os.getpid())
    assert membership.directory_of(tmp_path, 999999999).name == "999999999-"


def test_without_the_systems_word_the_time_of_a_process_tells_it_from_others(tmp_path, monkeypatch):
    monkeypatch.setattr(membership, "Path", lambda *_: tmp_path / "no /proc here")

    name = membership.directory_of(tmp_path, os.getpid()).name

    assert name == f"{os.getpid()}-{int(psutil.Process().create_time())}"


def test_a_process_that_nobody_has_spawned_as_one_of_several_has_no_parent():
    assert membership.parent_of_workers() is None
