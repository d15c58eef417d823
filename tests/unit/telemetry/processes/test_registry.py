"""The registry: who lives, whatever happens to the processes, their pids and the directory."""

import fcntl
import json
import os
import shutil
import stat
import threading
import time
import uuid

import pytest

from telemetry.processes import registry as registry_module
from telemetry.processes.process_entry import ProcessEntry, start_time
from telemetry.processes.registry import ProcessRegistry, live_processes
from tests.support.forking import in_child
from tests.support.processes import eventually
from tests.support.registry_processes import other_processes


@pytest.fixture
def process_of():
    made = []

    def make(data_dir, **options):
        made.append(ProcessRegistry(data_dir, **options))
        return made[-1]

    yield make
    for each in made:
        each.release()


def ids(data_dir):
    return {entry.id for entry in live_processes(data_dir)}


def test_nothing_is_made_before_a_process_registers(process_of, tmp_path):
    process_of(tmp_path / "data")

    assert list(live_processes(tmp_path / "data")) == []
    assert not (tmp_path / "data").exists()


def test_an_entry_says_what_the_process_is(process_of, tmp_path):
    process = process_of(tmp_path, database="shop.db")
    assert process.register().group == ""
    entry = process.join("port-7")

    assert list(live_processes(tmp_path)) == [entry]
    assert (entry.slot, entry.pid, entry.role, entry.group) == (0, os.getpid(), "worker", "port-7")
    assert (entry.database, entry.started_at) == ("shop.db", start_time(os.getpid()))
    assert process_of(tmp_path).register().role == "main"


def test_a_slot_is_the_first_that_is_free_and_its_process_is_another(process_of, tmp_path):
    processes = [process_of(tmp_path) for _ in range(3)]
    entries = [process.register() for process in processes]
    assert [entry.slot for entry in entries] == [0, 1, 2]

    processes[1].release()
    following = process_of(tmp_path).register()

    assert following.slot == 1
    assert ids(tmp_path) == {entries[0].id, entries[2].id, following.id}
    assert len({entry.id for entry in [*entries, following]}) == 4


def test_who_registers_twice_has_one_entry(process_of, tmp_path):
    process = process_of(tmp_path)

    assert process.register() == process.register()
    assert ids(tmp_path) == {process.id}


def test_who_has_released_its_slot_is_not_live_and_the_slot_is_the_next_ones(process_of, tmp_path):
    gone, other = process_of(tmp_path), process_of(tmp_path)
    instance, former = gone.instance_id(), gone.register()
    other.register()

    gone.release()
    gone.release()
    following = process_of(tmp_path)

    assert following.instance_id() == instance
    assert following.register().slot == former.slot
    assert ids(tmp_path) == {other.id, following.id}


def test_a_shorter_entry_leaves_nothing_of_a_longer_one(process_of, tmp_path):
    long = process_of(tmp_path, database="x" * 5000)
    assert long.register() in list(live_processes(tmp_path))
    long.release()

    entry = process_of(tmp_path).register()

    assert list(live_processes(tmp_path)) == [entry]


def test_a_process_that_is_killed_is_dead_at_once_and_gives_its_slot_back(process_of, tmp_path):
    with other_processes(tmp_path) as [other]:
        here = process_of(tmp_path)
        assert here.instance_id() != other.instance_id
        assert ids(tmp_path) == {here.id, other.entry["id"]}

        other.kill()

        assert ids(tmp_path) == {here.id}
        assert process_of(tmp_path).instance_id() == other.instance_id


def test_a_process_that_is_stopped_lives(tmp_path):
    with other_processes(tmp_path) as [other]:
        os.kill(other.process.pid, 19)

        assert ids(tmp_path) == {other.entry["id"]}


def test_many_processes_that_start_at_once_have_a_slot_each_and_each_sees_all(tmp_path):
    with other_processes(tmp_path, 4) as others:
        assert sorted(each.entry["slot"] for each in others) == list(range(4))
        assert ids(tmp_path) == {each.entry["id"] for each in others}
        assert len({each.instance_id for each in others}) == 4


def test_who_looks_all_the_time_takes_no_slot_from_who_starts(process_of, tmp_path):
    process_of(tmp_path).register()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            ids(tmp_path)

    looking = [threading.Thread(target=look) for _ in range(3)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(200):
            process = process_of(tmp_path)
            assert process.register().slot == 1
            process.release()
    finally:
        stop.set()
        for thread in looking:
            thread.join(30)


@pytest.mark.parametrize("left", [{"pid": os.getpid(), "id": "old"}, {"pid": 1, "id": "old"}, {"id": "old"}])
def test_an_entry_of_a_dead_process_does_not_count_whoever_has_its_pid_now(process_of, tmp_path, left):
    (tmp_path / "instances").mkdir()
    (tmp_path / "instances" / "0.lock").write_text(json.dumps(left) + "\n")
    assert ids(tmp_path) == set()

    entry = process_of(tmp_path).register()

    assert (entry.slot, ids(tmp_path)) == (0, {entry.id})


def test_two_data_directories_know_nothing_of_each_other(process_of, tmp_path):
    one, other = process_of(tmp_path / "a"), process_of(tmp_path / "b")

    assert one.instance_id() != other.instance_id()
    assert (one.live_ids(), other.live_ids()) == ({one.id}, {other.id})


def test_two_containers_with_the_same_host_name_and_path_have_different_ids(process_of, tmp_path):
    ids_of_slots = []
    for container in ("one", "other"):
        process = process_of(tmp_path / "data")
        ids_of_slots.append(process.instance_id())
        process.release()
        (tmp_path / "data").rename(tmp_path / container)

    assert len(set(ids_of_slots)) == 2


def test_processes_that_make_the_directory_at_once_agree_on_its_id(process_of, tmp_path):
    with other_processes(tmp_path / "data", 4) as others:
        ids_of_others = {other.entry["slot"]: other.instance_id for other in others}

    assert len(set(ids_of_others.values())) == 4
    for slot in sorted(ids_of_others):
        assert process_of(tmp_path / "data").instance_id() == ids_of_others[slot]
    assert {path.suffix for path in (tmp_path / "data" / "instances").iterdir()} == {".lock", ""}


def test_a_group_that_cannot_be_written_is_not_joined(process_of, tmp_path, monkeypatch):
    process = process_of(tmp_path)
    entry = process.register()
    monkeypatch.setattr("telemetry.processes.registry.os.pwrite", lambda *_: 5)

    with pytest.raises(OSError, match="No space left"):
        process.join("port-7")
    monkeypatch.undo()

    assert (process.group, process.register()) == ("", entry)
    assert process.join("port-7").group == "port-7"


def test_the_entry_of_an_earlier_version_says_whose_worker_it_is(tmp_path):
    assert ProcessEntry.decode(b'{"id": "a", "role": "worker", "parent": "7-7"}').group == "7-7"
    assert ProcessEntry.decode(b"[1]") == ProcessEntry()


def test_a_directory_by_another_way_is_the_same(process_of, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    first = process_of(tmp_path / "real")
    instance = first.instance_id()
    first.release()

    assert process_of(tmp_path / "link").instance_id() == instance


def test_a_directory_that_cannot_be_used_costs_the_stability_and_one_warning(process_of, tmp_path, caplog):
    (tmp_path / "file").write_text("")

    first, second = process_of(tmp_path / "file"), process_of(tmp_path / "file")

    assert uuid.UUID(first.instance_id()) != uuid.UUID(second.instance_id())
    assert ["No stable instance id" in message and "Not a directory" in message for message in caplog.messages] == [
        True
    ] * 2
    first.renew()
    with pytest.raises(OSError, match="Not a directory"):
        first.register()
    assert len(caplog.messages) == 2
    assert first.live_ids() == {first.id}


def test_a_read_only_directory_is_said_once_and_used_as_soon_as_it_can_be_written(
    process_of, tmp_path, caplog, monkeypatch
):
    process = process_of(tmp_path / "data")

    def read_only(*_args, **_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("telemetry.private_files.make_directory", read_only)
    process.instance_id()
    for _ in range(3):
        process.renew()
    assert ids(tmp_path / "data") == set()
    monkeypatch.undo()

    process.renew()

    assert ids(tmp_path / "data") == {process.id}
    assert len(caplog.messages) == 1


def test_when_every_slot_is_taken_the_id_is_a_new_one(process_of, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(registry_module, "MAX_SLOTS", 1)
    first, second = process_of(tmp_path).instance_id(), process_of(tmp_path).instance_id()

    assert first != second
    assert "every slot is taken" in caplog.text


def test_on_a_full_disk_the_instance_id_is_stable_and_the_entry_comes_later(process_of, tmp_path, monkeypatch, caplog):
    earlier = process_of(tmp_path)
    instance = earlier.instance_id()
    earlier.release()
    process = process_of(tmp_path)

    for written in (0, 5):
        monkeypatch.setattr("telemetry.processes.registry.os.pwrite", lambda *_, written=written: written)
        assert process.instance_id() == instance
        with pytest.raises(OSError, match="No space left"):
            process.register()
    monkeypatch.undo()

    assert process.register() in list(live_processes(tmp_path))
    assert caplog.messages == []


def test_an_entry_that_was_written_before_needs_no_space(process_of, tmp_path):
    """The file is overwritten, and neither cut nor replaced."""
    first = process_of(tmp_path)
    first.register()
    path = tmp_path / "instances" / "0.lock"
    before = path.stat()
    first.release()

    process_of(tmp_path).register()

    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)


def test_who_removes_the_directory_under_a_process_has_it_registered_again_as_the_same(process_of, tmp_path):
    process = process_of(tmp_path)
    process.register()

    shutil.rmtree(tmp_path / "instances")
    assert ids(tmp_path) == set()
    process.renew()

    assert ids(tmp_path) == {process.id}


def test_a_lock_of_an_earlier_version_is_a_live_process_without_an_id(process_of, tmp_path):
    (tmp_path / "instances").mkdir()
    with (tmp_path / "instances" / "0.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert list(live_processes(tmp_path)) == [ProcessEntry()]
        assert process_of(tmp_path).register().slot == 1


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"nonsense\n", b"[1]\n", b"5\n", b"\xff\xfe\n", b'{"id": "a"', b"x" * 100_000]
)
def test_a_live_process_whose_entry_cannot_be_read_is_in_no_others_way(process_of, tmp_path, content):
    broken, other = process_of(tmp_path), process_of(tmp_path)
    broken.register()
    other.register()

    (tmp_path / "instances" / "0.lock").write_bytes(content)

    assert list(live_processes(tmp_path)) == [ProcessEntry(), other.register()]


def test_fields_of_a_later_version_are_ignored(process_of, tmp_path):
    process = process_of(tmp_path)
    process.register()
    (tmp_path / "instances" / "0.lock").write_text('{"id": "a", "moon": "full"}\n')

    assert list(live_processes(tmp_path)) == [ProcessEntry(id="a")]


def test_a_file_that_may_not_be_read_is_a_process_that_may_live(process_of, tmp_path, monkeypatch):
    process_of(tmp_path).register()

    def denied(*_):
        raise PermissionError

    monkeypatch.setattr("telemetry.processes.registry.is_locked", denied)

    assert list(live_processes(tmp_path)) == [ProcessEntry()]


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), OSError(5, "Input/output error")])
def test_who_cannot_look_is_told_so_and_takes_nobody_for_dead(process_of, tmp_path, monkeypatch, error):
    process = process_of(tmp_path)
    process.register()

    def failing(*_args, **_options):
        raise error

    for name in ("open", "iterdir"):
        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path." + name, failing)
            with pytest.raises(OSError, match=error.strerror):
                process.live_ids()


def test_only_the_owner_may_read_the_directory(process_of, tmp_path):
    process_of(tmp_path / "data").register()

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").rglob("*")}
    assert modes == {0o700, 0o600}


def test_a_child_of_a_fork_is_another_process_and_its_parent_stays(process_of, tmp_path):
    process = process_of(tmp_path)
    parent = process.join("port-7")

    child = in_child(lambda: [process.register().id, process.register().slot, process.register().role, process.group])

    assert child[0] != parent.id
    assert child[1:] == [1, "child", ""]
    assert list(live_processes(tmp_path)) == [parent]


def test_a_child_registers_by_itself(process_of, tmp_path):
    process = process_of(tmp_path)
    process.register()

    def child():
        deadline = time.monotonic() + 30
        while len(ids(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(ids(tmp_path))

    assert in_child(child) == 2


def test_a_process_that_is_killed_is_dead_although_its_child_lives(tmp_path):
    with other_processes(tmp_path, forks=True) as [other]:
        child = other.child
        eventually(lambda: child in {entry.pid for entry in live_processes(tmp_path)})  # it registers by itself
        assert other.entry["id"] in ids(tmp_path)

        other.process.kill()
        other.process.wait(30)

        [left] = live_processes(tmp_path)
        assert (left.pid, left.role) == (child, "child")
        os.kill(child, 9)


def test_a_lease_of_a_dead_process_is_told_and_of_one_without_an_entry_nothing_is(process_of, tmp_path, monkeypatch):
    judge, living, gone, without = (process_of(tmp_path) for _ in range(4))
    for process in (living, gone):
        process.register()
    names = [process.lease_holder() for process in (living, gone, without)]
    gone.release()

    assert [judge.is_dead(name) for name in names] == [False, True, False]
    assert not judge.is_dead("host:7:ab12cd34")  # of an earlier version

    def failing(*_):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("pathlib.Path.iterdir", failing)
    assert not judge.is_dead(gone.id)


def test_a_slot_that_cannot_be_used_is_passed_by(process_of, tmp_path, monkeypatch):
    (tmp_path / "instances" / "0.lock").mkdir(parents=True)
    opened = os.open

    def denied(path, *arguments):
        if str(path).endswith("/1.lock"):
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr("telemetry.processes.file_lock.os.open", denied)

    entry = process_of(tmp_path).register()

    assert (entry.slot, list(live_processes(tmp_path))) == (2, [entry])


def test_where_no_slot_can_be_used_the_reason_is_said(process_of, tmp_path, monkeypatch, caplog):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("telemetry.processes.file_lock.os.open", denied)

    process_of(tmp_path).instance_id()

    assert "(Permission denied)" in caplog.text


def test_who_removes_the_directory_has_no_process_taken_for_dead_that_registers_again(
    process_of, tmp_path, monkeypatch
):
    now = [100.0]
    monkeypatch.setattr("telemetry.processes.registry.time.monotonic", lambda: now[0])
    processes = [process_of(tmp_path) for _ in range(3)]
    for process in processes:
        process.register()
    everybody = {process.id for process in processes}
    first, second, gone = processes
    assert first.live_ids() == everybody

    shutil.rmtree(tmp_path / "instances")
    assert first.live_ids() == first.live_ids() == everybody
    second.renew()
    now[0] += registry_module.REMOVAL_GRACE

    assert first.live_ids() == {first.id, second.id}
    assert first.is_dead(gone.id)
    assert ids(tmp_path) == {first.id, second.id}


def test_many_that_register_in_one_moment_have_a_slot_each(process_of, tmp_path):
    processes, together = [process_of(tmp_path) for _ in range(40)], threading.Barrier(40)

    def register(process):
        together.wait(30)
        process.register()

    threads = [threading.Thread(target=register, args=(process,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len({entry.slot for entry in live_processes(tmp_path)}) == 40
    assert ids(tmp_path) == {process.id for process in processes}
