"""Membership: slots, live workers, and the files that dead ones leave."""

import os
import stat

import psutil
import pytest

from telemetry.metrics.multiprocess import membership


def ids(directory):
    return set(membership.live_workers(directory))


def test_a_slot_is_the_first_that_is_free_and_its_worker_is_live(tmp_path):
    one, other = membership.WorkerSlot.acquire(tmp_path), membership.WorkerSlot.acquire(tmp_path)
    assert [one.number, other.number] == [0, 1]
    assert ids(tmp_path) == {one.id, other.id}

    one.release()
    third = membership.WorkerSlot.acquire(tmp_path)

    assert third.number == 0
    assert third.id != one.id
    assert ids(tmp_path) == {third.id, other.id}
    for slot in (third, other):
        slot.release()
    assert ids(tmp_path) == set()


def test_a_shorter_id_leaves_nothing_of_a_longer_one(tmp_path):
    (tmp_path / "0.place").write_text("0-of-a-worker-whose-name-was-longer")

    slot = membership.WorkerSlot.acquire(tmp_path)

    assert ids(tmp_path) == {slot.id}
    slot.release()


def test_listing_live_workers_takes_no_slot(tmp_path):
    membership.WorkerSlot.acquire(tmp_path).release()

    assert ids(tmp_path) == ids(tmp_path) == set()
    again = membership.WorkerSlot.acquire(tmp_path)

    assert again.number == 0
    again.release()


def test_a_worker_too_many_has_no_slot(tmp_path, monkeypatch):
    monkeypatch.setattr(membership, "_MAX_WORKERS", 1)
    one = membership.WorkerSlot.acquire(tmp_path)

    with pytest.raises(OSError, match="every place is taken"):
        membership.WorkerSlot.acquire(tmp_path)
    one.release()


def test_only_the_owner_may_read_a_slot(tmp_path):
    slot = membership.WorkerSlot.acquire(tmp_path / "workers" / "1-1")

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "workers").rglob("*")]
    assert sorted(modes) == [0o600, 0o600, 0o700]
    assert stat.S_IMODE((tmp_path / "workers").stat().st_mode) == 0o700
    slot.release()


def test_files_are_found_by_the_ids_of_their_workers(tmp_path):
    slot = membership.WorkerSlot.acquire(tmp_path)
    slot.snapshot_path.touch()
    slot.socket_path.touch()
    (tmp_path / f".{slot.snapshot_path.name}.partial").touch()
    for name in ("archive", "archive.lock", ".archive.partial"):
        (tmp_path / name).touch()

    assert membership.snapshot_files(tmp_path) == {slot.id: slot.snapshot_path}
    assert {worker for worker, _ in membership.transient_files(tmp_path)} == {slot.id}
    assert {path.suffix for _, path in membership.transient_files(tmp_path)} == {".sock", ".partial"}
    slot.release()


def test_the_directory_of_a_dead_service_is_removed_and_that_of_a_live_one_is_not(tmp_path):
    gone = tmp_path / "workers" / "999999999-12"
    again = tmp_path / "workers" / f"{os.getpid()}-1"  # the pid of a process with another start time
    here = membership.group_directory(tmp_path, os.getpid())
    foreign = tmp_path / "workers" / "somebody-else"
    for directory in (gone, again, here, foreign):
        directory.mkdir(parents=True)
    (gone / "archive").touch()

    membership.remove_stale_directories(tmp_path)

    assert {*(tmp_path / "workers").iterdir()} == {here, foreign}


def test_workers_whose_parent_is_not_seen_from_here_keep_what_they_have(tmp_path):
    """Such as those of another container on the same volume."""
    elsewhere = tmp_path / "workers" / "999999999-12"
    slot = membership.WorkerSlot.acquire(elsewhere)

    membership.remove_stale_directories(tmp_path)
    assert elsewhere.exists()

    slot.release()
    membership.remove_stale_directories(tmp_path)
    assert not elsewhere.exists()


def test_the_directory_of_a_parent_is_stable_and_a_missing_process_has_no_start_time(tmp_path):
    assert membership.group_directory(tmp_path, os.getpid()) == membership.group_directory(tmp_path, os.getpid())
    assert membership.group_directory(tmp_path, 999999999).name == "999999999-"


def test_without_proc_the_creation_time_tells_a_process_from_others(tmp_path, monkeypatch):
    monkeypatch.setattr(membership, "Path", lambda *_: tmp_path / "no /proc here")

    name = membership.group_directory(tmp_path, os.getpid()).name

    assert name == f"{os.getpid()}-{int(psutil.Process().create_time())}"


def test_a_process_that_was_not_spawned_as_a_worker_has_no_parent():
    assert membership.parent_of_workers() is None
