import errno
import os
from pathlib import Path

import pytest

from telemetry.jobs.recorder.orphaned_spools import OrphanedSpool, acquire_orphaned_spools, read_open_runs
from telemetry.jobs.recorder.spool import SpoolFull
from telemetry.jobs.recorder.spool_codec import encode
from telemetry.processes.file_lock import FileLock
from tests.support.job_runs import ended, run_id, started
from tests.support.spools import ProcessSpool, leave_spool, orphaned_runs, orphans

LINE = len(encode(started(1)))


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make(directory):
    made = []

    def make_spool(**options):
        made.append(ProcessSpool(directory, **options))
        return made[-1]

    yield make_spool
    for each in made:
        each.abandon()


def names(directory, suffix=""):
    return sorted(path.name for path in directory.iterdir() if path.name.endswith(suffix)) if directory.exists() else []


def acknowledge(spool, *positions):
    for position in positions:
        for segment in spool.acknowledge(position):
            segment.remove()


def test_nothing_is_made_before_the_first_run(make, directory):
    make()

    assert not directory.exists()


def test_a_run_is_given_back_from_its_place(make):
    spool = make()

    positions = [spool.append(run) for run in (started(1), started(2), ended(1))]

    assert [spool.read(position) for position in positions] == [started(1), started(2), ended(1)]


def test_what_a_process_kept_is_nobodys_while_it_lives_and_the_nexts_when_it_is_gone(make, directory):
    spool = make()
    for run in (started(1), ended(1), started(2)):
        spool.append(run)

    assert orphaned_runs(directory) == []
    spool.abandon()
    assert orphaned_runs(directory) == [started(1), ended(1), started(2)]


def test_what_a_process_left_is_taken_by_one(make, directory):
    spool = make()
    spool.append(started(1))
    spool.abandon()

    [first] = orphans(directory)
    assert list(orphans(directory)) == []
    first.remove()

    assert names(directory) == []
    assert list(orphans(directory)) == []


def test_an_orderly_end_leaves_no_file_when_everything_is_settled(make, directory):
    spool = make()
    acknowledge(spool, spool.append(started(1)), spool.append(ended(1)))

    spool.close()

    assert names(directory) == []


@pytest.mark.parametrize("runs", [[started(1)], [started(1), ended(1)]])
def test_an_orderly_end_leaves_what_is_not_settled(make, directory, runs):
    spool = make()
    for run in runs:
        spool.append(run)

    spool.close()

    assert orphaned_runs(directory) == runs


def test_a_run_that_is_open_is_left_though_its_start_is_in_the_database(make, directory):
    spool = make()
    acknowledge(spool, spool.append(started(1)))

    spool.close()

    assert orphaned_runs(directory) == [started(1)]


def test_files_whose_runs_are_settled_are_given_back_and_never_the_start_of_an_open_run(make, directory):
    spool = make(segment=4 * LINE)
    acknowledge(spool, spool.append(started(0)))

    for number in range(1, 100):
        acknowledge(spool, spool.append(started(number)), spool.append(ended(number)))

    assert len(names(directory, ".runs")) <= 2
    assert spool.size < 20 * LINE
    spool.abandon()
    found = orphaned_runs(directory)
    assert started(0) in found
    assert not [run for run in found if run == ended(0)]


def test_files_are_kept_as_long_as_one_before_them_waits(make, directory):
    spool = make(segment=2 * LINE)
    first = spool.append(ended(1))

    later = [spool.append(ended(number)) for number in range(2, 12)]
    acknowledge(spool, first, *later[:5])

    spool.abandon()
    found = orphaned_runs(directory)
    assert [run for run in found if run in [ended(number) for number in range(7, 12)]] == [
        ended(number) for number in range(7, 12)
    ]


def test_a_spool_has_a_limit_and_takes_runs_again_below_it(make):
    spool = make(max_bytes=20 * LINE, segment=2 * LINE)
    positions = [spool.append(ended(number)) for number in range(5)]

    with pytest.raises(SpoolFull, match="limit"):
        positions.extend(spool.append(ended(number)) for number in range(5, 30))

    acknowledge(spool, *positions)
    spool.append(ended(0))
    assert spool.size <= 20 * LINE


def test_a_line_that_the_disk_takes_only_half_of_is_taken_back(make, directory, monkeypatch):
    spool = make()
    spool.append(started(1))
    write = os.write
    monkeypatch.setattr(
        "telemetry.jobs.recorder.spool.os.write", lambda file, data: write(file, data[: len(data) // 2])
    )
    with pytest.raises(OSError, match="No space") as caught:
        spool.append(started(2))
    monkeypatch.undo()

    spool.append(started(3))

    assert caught.value.errno == errno.ENOSPC
    spool.abandon()
    [orphan] = orphans(directory)
    assert list(orphan.runs()) == [started(1), started(3)]
    assert orphan.unreadable == 0
    orphan.remove()


def test_a_run_that_could_not_be_kept_is_kept_with_the_next_file_if_it_is_still_open(make, directory, monkeypatch):
    spool = make(segment=2 * LINE)
    spool.append(started(1))
    monkeypatch.setattr("telemetry.jobs.recorder.spool.os.write", lambda *_: 0)
    with pytest.raises(OSError, match="No space"):
        spool.append(started(2))
    monkeypatch.undo()
    for number in range(3, 12):
        acknowledge(spool, spool.append(started(number)), spool.append(ended(number)))

    spool.abandon()

    assert {run_id(1), run_id(2)} <= {run.run_id for run in orphaned_runs(directory)}


def test_a_directory_that_cannot_be_made_is_an_error_each_time_and_nothing_else(tmp_path):
    (tmp_path / "file").touch()
    spool = ProcessSpool(tmp_path / "file" / "spool")

    for _ in range(2):
        with pytest.raises(OSError, match="directory"):
            spool.append(started(1))
    spool.close()


def test_a_line_that_was_cut_off_by_a_crash_is_counted_and_the_others_are_there(make, directory):
    spool = make()
    for number in (1, 2):
        spool.append(started(number))
    spool.abandon()
    [path] = [directory / name for name in names(directory, ".runs")]
    path.write_bytes(path.read_bytes()[: -LINE // 2] + b"\n" + encode(ended(1)))

    [orphan] = orphans(directory)

    assert list(orphan.runs()) == [started(1), ended(1)]
    assert orphan.unreadable == 1
    orphan.remove()


def test_the_open_runs_of_whoever_is_there_are_known(make, directory):
    one, other = make(), make()
    one.append(started(1))
    one.append(started(2))
    one.append(ended(1))
    other.append(started(3))

    assert read_open_runs(directory) == {run_id(2), run_id(3)}


def test_a_directory_that_is_not_there_has_nothing(directory):
    assert list(orphans(directory)) == []
    assert read_open_runs(directory) == set()


def test_of_two_that_find_a_spool_at_once_one_has_it(directory, monkeypatch):
    leave_spool(directory, started(1))
    acquire, found = FileLock.acquire, []

    def another_is_faster(path, flags):
        monkeypatch.undo()
        [first] = orphans(directory)
        found.extend(first.runs())
        first.remove()
        return acquire(path, flags)

    monkeypatch.setattr(FileLock, "acquire", another_is_faster)

    assert list(orphans(directory)) == []
    assert found == [started(1)]
    assert names(directory) == []


def test_a_spool_of_an_earlier_version_is_its_processes_as_long_as_that_lives(directory):
    leave_spool(directory, started(1), ended(1))
    [path] = directory.iterdir()
    path.rename(directory / "1d49ccff.000000.runs")
    lock = FileLock.acquire(directory / "1d49ccff.lock")
    assert orphaned_runs(directory) == []

    lock.close()
    [orphan] = orphans(directory)

    assert list(orphan.runs()) == [started(1), ended(1)]
    assert list(orphans(directory)) == []
    orphan.remove()
    assert names(directory) == []


def test_a_spool_whose_removal_was_interrupted_is_removed_by_the_next(directory, make, monkeypatch):
    spool = make(segment=LINE)
    for number in range(4):
        spool.append(ended(number))
    spool.abandon()
    [orphan] = orphans(directory)
    unlink, removed = Path.unlink, []

    def killed(path, **options):
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        orphan.remove()
    monkeypatch.undo()
    orphan.release()

    assert ended(0) in orphaned_runs(directory)
    [orphan] = orphans(directory)
    orphan.remove()
    assert names(directory) == []


def test_who_cannot_look_who_lives_takes_no_spool(directory):
    leave_spool(directory, started(1))

    def failing():
        raise OSError(24, "Too many open files")

    with pytest.raises(OSError, match="Too many"):
        list(acquire_orphaned_spools(directory, failing))
    assert orphaned_runs(directory) == [started(1)]


def test_a_process_that_cannot_register_keeps_no_runs_on_the_disk_until_it_can(directory, make, monkeypatch):
    """Its files would be taken for those of a dead one."""
    spool = make()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("telemetry.processes.registry.os.pwrite", full)
    with pytest.raises(OSError, match="No space"):
        spool.append(started(1))
    assert names(directory) == []
    monkeypatch.undo()

    spool.append(started(2))

    assert orphaned_runs(directory) == []
    spool.abandon()
    assert {run.run_id for run in orphaned_runs(directory)} >= {run_id(2)}


def test_files_are_for_their_owner_alone(make, directory):
    make().append(started(1, metadata={"customer": "somebody"}))

    assert directory.stat().st_mode & 0o077 == 0
    assert all((directory / name).stat().st_mode & 0o077 == 0 for name in names(directory))


def test_a_place_whose_file_is_gone_gives_nothing(make, directory):
    spool = make()
    position = spool.append(started(1))
    spool.abandon()

    assert spool.read(position) is None


def test_when_a_spool_was_left_is_when_its_oldest_file_was_last_written(make, directory):
    spool = make()
    spool.append(started(1))
    spool.abandon()
    [path] = [directory / name for name in names(directory, ".runs")]
    os.utime(path, (1000, 1000))

    [orphan] = orphans(directory)

    assert orphan.oldest_write_time() == 1000
    orphan.remove()


def test_what_is_left_without_a_line_was_left_just_now(directory, tmp_path):
    orphan = OrphanedSpool(tmp_path, "none", FileLock.acquire(tmp_path / "lock"))

    assert orphan.oldest_write_time() > 1_700_000_000
    assert list(orphan.runs()) == []
    orphan.release()
