"""The files of workers: where they are, and when those of a service are removed."""

import fcntl
import os

import pytest

from telemetry.metrics.multiprocess import worker_files
from telemetry.processes.process_entry import name_of
from telemetry.processes.registry import ProcessRegistry


@pytest.fixture
def worker_of():
    made = []

    def make(data_dir, parent):
        made.append(ProcessRegistry(data_dir, parent=parent))
        return made[-1]

    yield make
    for each in made:
        each.release()


def test_files_are_found_by_the_ids_of_their_workers(tmp_path, worker_of):
    files = worker_files.WorkerFiles(worker_of(tmp_path, "group"))
    files.snapshot_path.touch()
    files.socket_path.touch()
    (tmp_path / "workers" / "group" / f".{files.snapshot_path.name}.partial").touch()
    for name in ("archive", "archive.lock", ".archive.partial"):
        (tmp_path / "workers" / "group" / name).touch()

    assert files.label == "0"
    assert worker_files.snapshot_files(tmp_path / "workers" / "group") == {files.id: files.snapshot_path}
    transient = worker_files.transient_files(tmp_path / "workers" / "group")
    assert {worker for worker, _ in transient} == {files.id}
    assert {path.suffix for _, path in transient} == {".sock", ".partial"}


def test_the_directory_of_a_dead_service_is_removed_and_that_of_a_live_one_is_not(tmp_path):
    gone = tmp_path / "workers" / "999999999-12"
    again = tmp_path / "workers" / f"{os.getpid()}-1"  # the pid of a process with another start time
    here = tmp_path / "workers" / name_of(os.getpid())
    foreign = tmp_path / "workers" / "somebody-else"
    for directory in (gone, again, here, foreign):
        directory.mkdir(parents=True)
    (gone / "archive").touch()

    worker_files.remove_stale_directories(tmp_path)

    assert {*(tmp_path / "workers").iterdir()} == {here, foreign}


def test_workers_whose_parent_is_not_seen_from_here_keep_what_they_have(tmp_path, worker_of):
    """Such as those of another container on the same volume."""
    worker = worker_of(tmp_path, "999999999-12")
    elsewhere = worker_files.WorkerFiles(worker).directory

    worker_files.remove_stale_directories(tmp_path)
    assert elsewhere.exists()

    worker.release()
    worker_files.remove_stale_directories(tmp_path)
    assert not elsewhere.exists()


def test_while_an_earlier_version_runs_no_directory_is_removed(tmp_path):
    """Its processes do not say whose workers they are."""
    elsewhere = tmp_path / "workers" / "999999999-12"
    for directory in (elsewhere, tmp_path / "instances"):
        directory.mkdir(parents=True)

    with (tmp_path / "instances" / "0.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        worker_files.remove_stale_directories(tmp_path)
        assert elsewhere.exists()

    worker_files.remove_stale_directories(tmp_path)
    assert not elsewhere.exists()
