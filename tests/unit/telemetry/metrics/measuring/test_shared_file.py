"""SharedFile: records that are there as a whole or not at all, in a file that cannot grow, shrink or run out of disk."""

import errno
import mmap
import os

import pytest

from telemetry.metrics.measuring import shared_file
from telemetry.metrics.measuring.shared_file import MAX_DOCUMENT, SIZE, SharedFile, records
from tests.support.each_instruction import seen_at_each_instruction


@pytest.fixture
def path(tmp_path):
    return tmp_path / "numbers"


def read(path):
    return [(document, list(numbers)) for document, numbers in records(path.read_bytes())]


def test_what_is_written_into_a_cell_is_what_a_reader_finds(path):
    file = SharedFile(path)
    cells = file.append(b'["one"]', [1.0, 2.5])
    file.append('["zwölf"]'.encode(), [])

    cells[1] = 3.5

    assert read(path) == [(["one"], [1.0, 3.5]), (["zwölf"], [])]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_writer_that_is_killed_at_any_instruction_leaves_a_record_whole_or_not_at_all(path):
    file = SharedFile(path)
    file.append(b"[0]", [7.0])

    seen = seen_at_each_instruction(lambda: file.append(b'["new"]', [1.0, 2.0]), lambda: read(path), "measuring")

    assert len(seen) > 20
    without, new = [([0], [7.0])], [([0], [7.0]), (["new"], [1.0, 2.0])]
    assert [each for each in seen if each not in (without, new)] == []
    assert (seen[0], seen[-1]) == (without, new)


def test_a_writer_that_is_killed_while_it_makes_the_file_leaves_none_or_an_empty_one(path):
    def look():
        try:
            return read(path)
        except (FileNotFoundError, ValueError):
            return None

    seen = seen_at_each_instruction(lambda: SharedFile(path), look, "measuring")

    assert seen[0] is None
    assert seen[-1] == []
    assert [each for each in seen if each not in (None, [])] == []


def test_the_whole_file_is_allocated_and_what_does_not_fit_is_refused(path):
    file = SharedFile(path)
    taken = 0
    while file.append(b"[1]", [0.0] * 1000) is not None:
        taken += 1

    assert path.stat().st_blocks * 512 >= SIZE
    assert path.stat().st_size == SIZE
    assert taken == len(read(path)) > 100
    assert file.append(b"1" * (MAX_DOCUMENT + 1), []) is None


@pytest.mark.parametrize("failing", ["posix_fallocate", "mmap"])
def test_a_disk_without_room_leaves_no_file(path, memory, monkeypatch, failing):
    def refuse(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os if failing == "posix_fallocate" else mmap, failing, refuse)

    with pytest.raises(OSError, match="No space"):
        SharedFile(path)

    assert not path.is_symlink()
    assert list(memory.iterdir()) == []


def test_a_file_that_was_removed_replaced_or_truncated_is_not_in_place(path):
    file = SharedFile(path)
    assert file.is_in_place()

    os.truncate(path, 100)
    assert not file.is_in_place()
    os.truncate(path, SIZE)
    path.unlink()
    assert not file.is_in_place()
    path.write_bytes(bytes(SIZE))
    assert not file.is_in_place()


def test_a_removed_file_can_still_be_written(path):
    file = SharedFile(path)
    cells = file.append(b"[1]", [1.0])

    path.unlink()
    cells[0] = 2.0

    assert file.append(b"[2]", [1.0]) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:4],
        lambda data: bytes(len(data)),
        lambda data: b"another" + data[7:],
    ],
)
def test_what_is_no_such_file_is_a_value_error(path, spoil):
    SharedFile(path).append(b"[1]", [1.0])

    with pytest.raises(ValueError, match="no file of numbers"):
        list(records(spoil(path.read_bytes())))


@pytest.mark.parametrize(("length", "is_whole"), [(16, False), (24, False), (-1, False), (0, True), (1, True)])
def test_of_a_truncated_file_the_whole_records_are_read(path, length, is_whole):
    SharedFile(path).append(b"[1]", [1.0])
    data = path.read_bytes()
    [used] = shared_file._INTEGER.unpack_from(data, 8)

    found = [document for document, _ in records(data[: length if length > 1 else used + length])]

    assert found == ([[1]] if is_whole else [])


def test_lengths_that_cannot_be_end_the_file(path):
    SharedFile(path).append(b"[1]", [1.0])
    data = bytearray(path.read_bytes())
    data[16:24] = shared_file._INTEGER.pack(-5)

    assert list(records(bytes(data))) == []


def test_the_file_is_in_memory_and_a_link_leads_to_it(path, memory):
    SharedFile(path)

    [file] = memory.iterdir()
    assert path.readlink() == file
    assert file.stat().st_mode & 0o777 == 0o600

    shared_file.remove(path)

    assert list(memory.iterdir()) == []
    assert not path.is_symlink()
    shared_file.remove(path)


def test_where_there_is_no_memory_for_it_the_file_is_beside_the_snapshot(path, memory):
    memory.rmdir()

    SharedFile(path).append(b"[1]", [2.0])

    assert path.is_file()
    assert not path.is_symlink()
    assert read(path) == [([1], [2.0])]
    shared_file.remove(path)
    assert not path.exists()


def test_a_link_that_cannot_be_made_leaves_nothing(tmp_path, memory):
    with pytest.raises(FileNotFoundError):
        SharedFile(tmp_path / "missing" / "numbers")

    assert list(memory.iterdir()) == []


def test_files_to_which_no_link_leads_are_removed_and_no_others(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(shared_file, "ORPHAN_AGE", 0.0)
    kept, lost, replaced = (SharedFile(tmp_path / name) for name in ("kept", "lost", "replaced"))
    for name in ("someone-elses", "telemetry-numbers-just-being-made"):
        (memory / name).write_bytes(b"")
    (tmp_path / "lost").unlink()
    (tmp_path / "replaced").unlink()
    (tmp_path / "replaced").symlink_to(tmp_path / "kept")

    shared_file.remove_orphans()

    assert {path.name for path in memory.iterdir()} == {
        "telemetry-numbers-kept",
        "someone-elses",
        "telemetry-numbers-just-being-made",
    }
    assert [each.is_in_place() for each in (kept, lost, replaced)] == [True, False, False]


def test_a_new_file_may_be_one_to_which_another_process_is_just_making_the_link(path, memory):
    file = SharedFile(path)
    target = path.readlink()
    path.unlink()

    shared_file.remove_orphans()
    path.symlink_to(target)

    assert file.is_in_place()


def test_a_link_to_somebody_elses_file_is_removed_without_it(path, tmp_path):
    (tmp_path / "precious").write_text("kept")
    path.symlink_to(tmp_path / "precious")

    shared_file.remove(path)

    assert (tmp_path / "precious").read_text() == "kept"
    assert not path.is_symlink()
