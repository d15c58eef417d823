import os
import socket
import subprocess
import sys

import pytest

from telemetry.processes.file_lock import FileLock
from telemetry.processes.process_entry import ProcessEntry, start_time
from telemetry.processes.registry import ProcessRegistry
from telemetry.profiling import find_processes


@pytest.fixture
def running():
    process = subprocess.Popen([sys.executable, "-Sc", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate()


@pytest.fixture
def register(tmp_path):
    """Writes the entry of another process, and holds its lock."""
    (directory := tmp_path / "instances").mkdir()
    locks = []

    def register(slot, pid, role="main", **other):
        entry = {"host": socket.gethostname(), "started_at": start_time(pid), **other}
        path = directory / f"{slot}.lock"
        lock = FileLock.acquire(path)
        path.write_bytes(ProcessEntry(id=f"id{slot}", slot=slot, role=role, pid=pid, **entry).encode())
        locks.append(lock)

    yield register
    for lock in locks:
        lock.close()


def test_the_live_processes_of_the_directory_are_found_by_their_roles(tmp_path, register, running):
    register(1, running, role="worker", group="g")
    register(0, os.getppid())

    found = find_processes(tmp_path)

    assert [each.name for each in found.here] == [f"main (pid {os.getppid()})", f"worker 1 (pid {running})"]
    assert found.of_pid(running) == found.here[1]
    assert found.of_pid(1) is None
    assert found.elsewhere == 0


def test_this_process_is_not_among_them(tmp_path):
    registry = ProcessRegistry(tmp_path)
    registry.register()

    assert find_processes(tmp_path).here == ()
    registry.release()


def test_processes_of_other_machines_and_reused_pids_are_only_counted(tmp_path, register, running):
    register(0, running, host="another")
    register(1, running, started_at="1")

    found = find_processes(tmp_path)

    assert found.here == ()
    assert found.elsewhere == 2


def test_a_directory_that_no_process_has_used_has_none(tmp_path):
    assert find_processes(tmp_path / "new").here == ()
