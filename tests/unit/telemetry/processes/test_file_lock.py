"""A lock on a file: who has it, and when it ends."""

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from telemetry.processes import file_lock
from telemetry.processes.file_lock import FileLock
from tests.support.forking import in_child


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def test_one_has_it_until_it_is_closed(path):
    lock = FileLock.acquire(path)

    assert FileLock.acquire(path) is None
    lock.close()
    lock.close()

    FileLock.acquire(path).close()


def test_a_child_has_no_part_in_it_and_takes_nothing_from_its_parent(path):
    lock = FileLock.acquire(path)

    assert in_child(lambda: [lock.descriptor, FileLock.acquire(path) is None]) == [-1, True]
    assert FileLock.acquire(path) is None
    lock.close()


class LivingChild:
    """A forked child that lives until `end`."""

    def __init__(self):
        self.lives, self.ends, self.answers = os.pipe(), os.pipe(), []
        self.thread = threading.Thread(target=lambda: self.answers.append(in_child(self.child)))
        self.thread.start()
        assert os.read(self.lives[0], 1)

    def child(self):
        os.write(self.lives[1], b"1")
        return os.read(self.ends[0], 1).decode()

    def end(self):
        assert self.answers == []
        os.write(self.ends[1], b"2")
        self.thread.join(30)
        assert self.answers == ["2"]
        for descriptor in (*self.lives, *self.ends):
            os.close(descriptor)


def test_it_ends_with_its_owner_although_a_child_of_that_time_lives(path):
    lock, child = FileLock.acquire(path), LivingChild()
    lock.close()

    FileLock.acquire(path).close()
    child.end()


def test_it_ends_with_its_owner_although_a_child_was_forked_when_the_file_was_being_opened(path, monkeypatch):
    opened, children = os.open, []

    def open_and_fork(*arguments):
        descriptor = opened(*arguments)
        if not children:
            children.append(None)  # what else is opened in the child forks no other one
            children[0] = LivingChild()
        return descriptor

    monkeypatch.setattr(file_lock.os, "open", open_and_fork)
    FileLock.acquire(path).close()
    monkeypatch.undo()

    FileLock.acquire(path).close()
    children[0].end()


def test_a_file_that_was_removed_by_its_last_owner_is_nobodys(path, monkeypatch):
    lock, opened = FileLock.acquire(path), os.open

    def open_and_remove(*arguments):
        descriptor = opened(*arguments)
        path.unlink()
        lock.close()
        return descriptor

    monkeypatch.setattr(file_lock.os, "open", open_and_remove)

    assert FileLock.acquire(path) is None


def test_it_is_in_place_as_long_as_its_file_is_the_one_at_the_path(tmp_path):
    (tmp_path / "directory").mkdir()
    lock = FileLock.acquire(tmp_path / "directory" / "lock")
    assert lock.is_in_place()

    shutil.rmtree(tmp_path / "directory")
    assert not lock.is_in_place()
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "lock").touch()

    assert not lock.is_in_place()
    lock.close()


def test_a_directory_can_be_locked(tmp_path):
    lock = FileLock.acquire(tmp_path, os.O_RDONLY)

    assert FileLock.acquire(tmp_path, os.O_RDONLY) is None
    lock.close()


def test_an_instant_of_looking_does_not_keep_it_from_anybody(path, monkeypatch):
    path.touch()
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(file_lock.time, "sleep", lambda _seconds: fcntl.flock(looking, fcntl.LOCK_UN))

        FileLock.acquire(path).close()


def test_looking_for_ever_is_not_waited_for(path, monkeypatch):
    monkeypatch.setattr(file_lock, "_PAUSE", 0)
    path.touch()
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)

        assert FileLock.acquire(path) is None


def test_a_filesystem_without_locks_is_an_error_and_leaves_nothing_open(path, monkeypatch):
    def refused(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(file_lock.fcntl, "flock", refused)
    before = len([*Path("/proc/self/fd").iterdir()])

    with pytest.raises(OSError, match="No locks"):
        FileLock.acquire(path)

    assert len([*Path("/proc/self/fd").iterdir()]) == before
