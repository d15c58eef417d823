"""Private files: created for their owner only, and without dropping the locks that are on them."""

import fcntl
import subprocess
import sys

import pytest

from telemetry import private_files

LOCK = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def lockable_by_another(path) -> bool:
    """Whether another process can lock the file."""
    return (
        subprocess.run([sys.executable, "-c", LOCK, path], capture_output=True, timeout=60, check=False).returncode == 0
    )


def test_a_file_is_made_once_for_its_owner_alone_and_keeps_what_is_in_it(tmp_path):
    path = tmp_path / "file"
    private_files.make_file(path)
    path.write_text("kept")

    private_files.make_file(path)

    assert path.read_text() == "kept"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_keeps_the_locks_that_this_process_has_on_it(tmp_path):
    path = tmp_path / "file"
    private_files.make_file(path)

    with path.open("r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        private_files.make_file(path)

        assert not lockable_by_another(path)
    assert lockable_by_another(path)


def test_a_file_is_made_where_only_root_may_make_nodes(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("os.mknod", refuse)

    private_files.make_file(tmp_path / "file")

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_created_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        private_files.make_file(tmp_path / "nowhere" / "file")
