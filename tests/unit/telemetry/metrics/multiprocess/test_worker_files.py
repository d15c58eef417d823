"""The files of workers: where they are, and when those of a group are removed."""

import fcntl
import os

import pytest

from telemetry.metrics.multiprocess import worker_files
from telemetry.processes import process_group
from telemetry.processes.process_entry import name_of
from telemetry.processes.process_group import ProcessGroup
from telemetry.processes.registry import ProcessRegistry
from telemetry.processes.shared_lock import SharedLock

GROUP = ProcessGroup("port-" + "a" * 24)
OTHER = ProcessGroup("socket-" + "b" * 24)


@pytest.fixture
def process_of():
    made = []

    def make(data_dir):
        made.append(ProcessRegistry(data_dir))
        return made[-1]

    yield make
    for each in made:
        each.release()


def joined(process, group=GROUP):
    worker_files.join_group(process, group)
    return worker_files.WorkerFiles(process)


def test_files_are_found_by_the_ids_of_their_workers(tmp_path, process_of):
    files = joined(process_of(tmp_path))
    files.socket_path.touch()
    (files.directory / f".{files.snapshot_path.name}.partial").touch()
    for name in ("archive", "archive.lock", ".archive.partial"):
        (files.directory / name).touch()

    assert files.label == "0"
    assert files.directory == tmp_path / "workers" / GROUP.name
    assert worker_files.snapshot_files(files.directory) == {files.id: files.snapshot_path}
    transient = worker_files.transient_files(files.directory)
    assert {worker for worker, _ in transient} == {files.id}
    assert {path.suffix for _, path in transient} == {".sock", ".partial"}


def test_a_group_begins_afresh_when_all_its_processes_have_ended_and_not_before(tmp_path, process_of):
    first, second, third = (process_of(tmp_path) for _ in range(3))
    counted = joined(first).snapshot_path
    joined(second)
    first.release()

    joined(third)
    assert counted.exists()  # the second lives

    second.release()
    third.release()
    following = joined(process_of(tmp_path))
    assert [*following.directory.iterdir()] == [following.snapshot_path]


def test_while_the_parent_with_the_socket_lives_a_group_of_no_process_goes_on(tmp_path, process_of):
    kept = ProcessGroup(GROUP.name, f"{process_group.boot_id()}-{name_of(os.getpid())}")
    only = process_of(tmp_path)
    counted = joined(only, kept).snapshot_path
    only.release()

    joined(process_of(tmp_path), OTHER)
    joined(process_of(tmp_path), kept)

    assert counted.exists()


@pytest.mark.parametrize(
    "keeper",
    ["elsewhere-1-1", "nonsense", f"{0}-{os.getpid()}-1"],
    ids=["container", "nonsense", "start of the machine"],
)
def test_a_parent_of_an_earlier_start_of_the_machine_or_of_another_container_keeps_nothing(
    tmp_path, process_of, keeper
):
    only = process_of(tmp_path)
    directory = joined(only, ProcessGroup(GROUP.name, keeper)).directory
    only.release()

    joined(process_of(tmp_path), OTHER)

    assert not directory.exists()


def test_what_earlier_versions_left_is_removed_when_its_parent_has_ended_and_foreign_files_stay(tmp_path, process_of):
    gone = tmp_path / "workers" / "999999999-12"
    again = tmp_path / "workers" / f"{os.getpid()}-1"  # the pid of a process with another start time
    here = tmp_path / "workers" / name_of(os.getpid())
    foreign = tmp_path / "workers" / "somebody-else"
    for directory in (gone, again, here, foreign):
        directory.mkdir(parents=True)
    (gone / "archive").touch()

    files = joined(process_of(tmp_path))

    assert {*(tmp_path / "workers").iterdir()} == {here, foreign, files.directory}


def test_while_a_process_that_cannot_be_read_runs_no_directory_is_removed(tmp_path, process_of):
    """It does not say whose worker it is."""
    only = process_of(tmp_path)
    directory = joined(only).directory
    only.release()

    with (tmp_path / "instances" / "7.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        joined(process_of(tmp_path), OTHER)
        assert directory.exists()

    joined(process_of(tmp_path), OTHER)
    assert not directory.exists()


def test_a_process_that_is_stopped_while_it_joins_delays_the_others_and_keeps_none_out(
    tmp_path, process_of, monkeypatch
):
    monkeypatch.setattr(worker_files, "_LOCK_TIMEOUT", 0.0)
    process = process_of(tmp_path)
    process.register()
    stopped = SharedLock(tmp_path / "instances" / "groups")

    with stopped.hold(0.0, exclusive=True):
        assert joined(process).directory.exists()
    stopped.close()
