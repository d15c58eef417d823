"""A service that starts reports that the one before it was killed, once; an orderly stop is not reported."""

import errno
import json
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from telemetry import semconv
from telemetry.health import unclean_stops
from telemetry.health.kill_report import log_killed
from telemetry.health.memory import OomKills
from telemetry.health.unclean_stops import UncleanStopWatch
from telemetry.health.usage import Usage
from telemetry.processes.file_lock import FileLock
from telemetry.processes.process_group import boot_id
from telemetry.processes.registry import DIRECTORY, ProcessRegistry
from telemetry.processes.run_markers import RunMarker, RunMarkers
from tests.support.forking import in_child
from tests.support.processes import eventually

GB = 2**30


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Makes watches of processes that share a data directory; each has a registry, as if it were a process of its own."""
    monkeypatch.setattr(unclean_stops, "MARK_INTERVAL", 0.02)
    made = []

    def make(group="", keeper="", **options) -> UncleanStopWatch:
        registry = ProcessRegistry(tmp_path)
        if group:
            registry.join(group, keeper)
        made.append(UncleanStopWatch(registry, read_memory=lambda: Usage(GB // 2, GB), **options))
        return made[-1]

    yield make
    for watch in made:
        watch.end()
        watch._registry.release()


def marked(tmp_path) -> dict[str, RunMarker]:
    return {each.id: each for each in RunMarkers(tmp_path).read()}


def begin(watch: UncleanStopWatch) -> UncleanStopWatch:
    watch.begin()
    eventually(lambda: watch._registry.id in marked(watch._registry.data_dir))
    return watch


def kill(*watches: UncleanStopWatch) -> None:
    """What is left of processes that are killed at once: their markers, and locks that the kernel has released."""
    markers = RunMarkers(watches[0]._registry.data_dir)
    left = markers.read()
    for watch in watches:
        watch.end()
        watch._registry.release()
    for each in left:
        if each.id in {watch._registry.id for watch in watches}:
            markers.write(each)


def alerts(caplog) -> list[logging.LogRecord]:
    return [each for each in caplog.records if semconv.ALERT_LEVEL in vars(each)]


def test_the_first_start_ever_reports_nothing(processes, tmp_path, caplog):
    begin(processes())

    assert alerts(caplog) == []
    assert len(marked(tmp_path)) == 1


def test_an_orderly_stop_leaves_nothing_and_is_not_reported(processes, tmp_path, caplog):
    begin(processes()).end()
    assert marked(tmp_path) == {}

    begin(processes())

    assert alerts(caplog) == []


def test_a_killed_service_is_one_warning_of_the_next_start_and_none_of_the_one_after_it(processes, tmp_path, caplog):
    kill(begin(processes()))

    begin(processes())
    begin(processes())

    [alert] = alerts(caplog)
    assert alert.levelno == logging.WARNING
    assert vars(alert)[semconv.COMPONENT] == "app"
    assert alert.getMessage().startswith("The service was killed: its process ended without an orderly stop.")
    assert len(marked(tmp_path)) == 2


def test_the_kills_of_a_crash_loop_are_repeats_of_one_alert(processes, caplog):
    for _ in range(4):
        kill(begin(processes()))
    kill(begin(processes(group="g")))

    begin(processes())

    assert len(alerts(caplog)) == 5
    assert len({vars(each)[semconv.ALERT_FINGERPRINT] for each in alerts(caplog)}) == 1


def test_workers_that_start_at_once_report_a_service_with_all_its_processes_once(processes, caplog):
    kill(*[begin(processes(group="g")) for _ in range(3)])

    workers = [processes(group="h") for _ in range(4)]
    for each in workers:
        each.begin()
    for each in workers:
        begin(each)

    [alert] = alerts(caplog)
    assert "its 3 processes" in alert.getMessage()


def test_a_process_that_is_told_to_stop_is_killed_without_a_report(processes, tmp_path, caplog):
    watch = begin(processes())

    watch.announce_stop()
    watch.announce_stop()

    eventually(lambda: not marked(tmp_path))
    watch._registry.release()
    begin(processes())
    assert alerts(caplog) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_signal_is_an_orderly_stop_also_for_a_server_that_does_not_clean_up(processes, tmp_path, number):
    received: list[int] = []
    former = signal.signal(number, lambda *_: received.append(1))
    watch = begin(processes())
    try:
        with watch.noticing_stop_signals():
            os.kill(os.getpid(), number)
            eventually(lambda: not marked(tmp_path))
    finally:
        signal.signal(number, former)

    assert received == [1]


def test_workers_whose_parent_is_killed_stop_in_order_and_are_reported(processes, tmp_path, caplog):
    workers = [begin(processes(group="g")) for _ in range(2)]
    for each in workers:
        each.keep()
        each.announce_stop()
        each.end()
        each._registry.release()
    assert all(each.is_orphaned for each in marked(tmp_path).values())

    begin(processes())

    [alert] = alerts(caplog)
    assert "the parent of its 2 processes ended" in alert.getMessage()


def test_a_parent_that_ends_after_its_workers_were_told_to_stop_is_no_surprise(processes, tmp_path):
    watch = begin(processes())
    watch.announce_stop()

    watch.keep()

    watch.end()
    assert marked(tmp_path) == {}


def test_a_worker_that_is_killed_while_its_siblings_go_on_is_not_reported(processes, tmp_path, caplog):
    killed, survivor = begin(processes(group="g")), begin(processes(group="g"))
    kill(killed)

    eventually(lambda: marked(tmp_path).keys() == {survivor._registry.id})
    begin(processes(group="g"))

    assert alerts(caplog) == []


def test_a_worker_that_is_killed_just_before_its_siblings_are_told_to_stop_is_not_reported(processes, tmp_path, caplog):
    killed, survivor = begin(processes(group="g")), begin(processes(group="g"))
    kill(killed)

    survivor.end()

    assert marked(tmp_path) == {}


def test_another_service_with_the_same_directory_is_left_alone_while_it_lives(processes, tmp_path, caplog):
    other, killed = begin(processes()), begin(processes())
    kill(killed)

    begin(processes())
    begin(processes())

    assert len(alerts(caplog)) == 1
    assert other._registry.id in marked(tmp_path)


def test_nothing_is_reported_beside_a_process_that_cannot_be_told_apart(processes, tmp_path, caplog):
    kill(begin(processes()))
    unreadable = ProcessRegistry(tmp_path)
    slot = unreadable.register().slot
    (tmp_path / DIRECTORY / f"{slot}.lock").write_text("?")

    begin(processes())
    assert alerts(caplog) == []

    unreadable.release()
    begin(processes())
    assert len(alerts(caplog)) == 1


def test_a_watch_that_is_off_has_no_file_and_reports_nothing(processes, tmp_path, caplog):
    kill(begin(processes()))

    watch = processes(is_on=False)
    watch.begin()
    watch.end()

    assert (watch._thread, alerts(caplog)) == (None, [])
    assert len(marked(tmp_path)) == 1


def test_a_marker_that_somebody_removed_is_made_again(processes, tmp_path):
    watch = begin(processes())
    (RunMarkers(tmp_path).directory / f"{watch._registry.id}.json").unlink()

    eventually(lambda: marked(tmp_path))


def warnings(caplog) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "put", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["a file", "a dangling link"]
)
def test_what_is_in_place_of_the_directory_is_one_warning_that_says_what_to_do(processes, tmp_path, caplog, put):
    directory = RunMarkers(tmp_path).directory
    directory.parent.mkdir()
    put(directory)

    watch = processes()
    watch.begin()
    eventually(lambda: warnings(caplog))
    time.sleep(0.1)

    failure = f"{directory} cannot be written (File exists). Remove what is in its place: the service makes the directory itself."
    assert warnings(caplog) == [f"A kill of this service cannot be reported at its next start: {failure}"]
    assert watch.marker_failure() == failure


def test_a_directory_without_permission_is_one_warning_that_names_the_user(processes, tmp_path, caplog, monkeypatch):
    refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    monkeypatch.setattr(RunMarkers, "write", raising(refused))
    monkeypatch.setattr(RunMarkers, "check_write", raising(refused))
    directory = RunMarkers(tmp_path).directory
    directory.mkdir(parents=True)

    watch = processes()
    watch.begin()
    eventually(lambda: warnings(caplog))

    assert warnings(caplog)[0].endswith(
        f": {directory} cannot be written (Permission denied). Give user {os.geteuid()} write permission."
    )
    assert watch.marker_failure() in warnings(caplog)[0]


def raising(error):
    def fail(*_):
        raise error

    return fail


def test_a_directory_that_was_mended_gets_its_marker_and_the_next_failure_is_another_warning(
    processes, tmp_path, caplog
):
    directory = RunMarkers(tmp_path).directory
    directory.parent.mkdir()
    directory.touch()
    watch = processes()
    watch.begin()
    eventually(lambda: warnings(caplog))

    directory.unlink()
    eventually(lambda: marked(tmp_path))
    assert watch.marker_failure() == ""
    assert [path.name for path in directory.iterdir()] == [f"{watch._registry.id}.json"]
    directory.rename(tmp_path / "moved")
    directory.touch()

    eventually(lambda: len(warnings(caplog)) > 1)
    assert len(warnings(caplog)) == 2


def test_of_several_workers_one_warns(processes, tmp_path, caplog):
    RunMarkers(tmp_path).directory.parent.mkdir()
    RunMarkers(tmp_path).directory.touch()

    for watch in [processes(group="g") for _ in range(3)]:
        watch.begin()
    eventually(lambda: warnings(caplog))
    time.sleep(0.1)

    assert len(warnings(caplog)) == 1


def test_a_full_disk_is_not_a_warning_of_the_markers(processes, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(RunMarkers, "write", raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))

    watch = processes()
    watch.begin()
    time.sleep(0.1)
    watch.end()

    assert warnings(caplog) == []


def test_a_new_service_of_the_same_group_leaves_the_killed_one_to_the_process_that_reports_it(
    processes, tmp_path, caplog
):
    """In a new container the network, the address and the pid may all be the same again, and with them the group."""
    kill(*[begin(processes(group="g", keeper=f"{boot_id()}-7-100")) for _ in range(2)])
    reporting = FileLock.acquire(RunMarkers(tmp_path).directory / "examination")

    first = begin(processes(group="g", keeper=f"{boot_id()}-7-200"))
    reporting.close()
    begin(processes(group="g", keeper=f"{boot_id()}-7-200"))

    [alert] = alerts(caplog)
    assert "its 2 processes" in alert.getMessage()
    assert first._registry.id in marked(tmp_path)


def test_a_worker_forgets_the_one_that_was_killed_before_it_started_if_they_have_the_same_parent(processes, tmp_path):
    keeper = f"{boot_id()}-7-100"
    kill(begin(processes(group="g", keeper=keeper)))
    watch = processes(group="g", keeper=keeper)
    watch._started = time.monotonic()

    watch._forget_replaced()

    assert marked(tmp_path) == {}


def test_a_forked_child_leaves_the_marker_to_its_parent(processes, tmp_path):
    watch = begin(processes())

    in_child(watch.end)

    assert watch._registry.id in marked(tmp_path)


def test_a_spawned_worker_names_its_parent_also_when_it_is_an_orphan(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    parent, watch = os.getppid(), begin(processes())
    monkeypatch.setattr(os, "getppid", lambda: 1)

    watch.keep()
    watch.end()

    [found] = marked(tmp_path).values()
    assert (found.parent, found.keeper.split("-")[:2]) == (parent, [boot_id(), str(parent)])


def said(caplog, *killed: RunMarker, oom: OomKills | None = None) -> tuple[str, dict[str, str]]:
    log_killed(killed, oom or OomKills())
    record = caplog.records[-1]
    return record.getMessage(), json.loads(vars(record)[semconv.ALERT_FACTS])


MARKER = RunMarker(id="a", host="shop-1", boot=boot_id(), pid=4712, started_at=1e9, seen_at=1e9 + 3600, memory_total=GB)


def test_the_message_says_which_processes_since_when_and_until_when(caplog):
    other = RunMarker(pid=4713, parent=4711, boot=boot_id(), started_at=1e9 + 5, seen_at=1e9 + 60)

    text, facts = said(caplog, MARKER, other)

    assert "its 2 processes ended" in text
    assert facts == {
        "Processes": "4712, 4713 (workers of 4711)",
        "Started": "2001-09-09 01:46:40 UTC",
        "Last seen": "2001-09-09 02:46:40 UTC",
        "Host": "shop-1",
        "Memory": "0% of 1,024 MB were used when it was last seen",
    }


def test_of_many_processes_the_first_are_named(caplog):
    _, facts = said(caplog, *(RunMarker(pid=pid, boot=boot_id()) for pid in range(1, 40)))

    assert facts["Processes"] == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …"


@pytest.mark.parametrize(
    ("about", "oom", "cause"),
    [
        ({}, OomKills("c:1", 2), "The kernel has killed 2 processes of its container for memory"),
        ({"oom_kills": 1}, OomKills("c:1", 2), "The kernel has killed a process of its container for memory"),
        ({"oom_kills": 2}, OomKills("c:1", 2), "Its memory was not scarce"),
        (
            {"oom_group": "c:7"},
            OomKills("c:1", 2),
            "Its memory was not scarce when it was last seen, but may have run out within",
        ),
        (
            {"oom_group": "c:7", "oom_kills": 1},
            OomKills("c:1"),
            "the kernel killed a process of its container for memory. Raise",
        ),
        (
            {"oom_group": "c:7", "oom_kills": 3},
            OomKills("c:1", 9),
            "the kernel killed 3 processes of its container for memory. Raise",
        ),
        ({"oom_group": "c:7", "memory_used": GB}, OomKills("c:1"), "It may have been out of memory."),
        ({"oom_group": ""}, OomKills("c:1", 2), "Find in the log of the kernel or of the supervisor what killed it."),
        ({}, OomKills(), "Find in the log of the kernel or of the supervisor what killed it."),
        ({"memory_used": GB * 89 // 100}, OomKills("c:1"), "Its memory was not scarce"),
        ({"memory_used": GB * 90 // 100}, OomKills("c:1"), "It may have been out of memory."),
        ({"boot": "earlier", "memory_used": GB}, OomKills("c:1", 9), "a crash or a loss of power"),
    ],
)
def test_the_message_says_what_is_known_of_the_cause(caplog, about, oom, cause):
    values = {"oom_group": "c:1", "boot": boot_id(), "memory_total": GB, **about}

    text, _ = said(caplog, RunMarker(**values), oom=oom)

    assert cause in text
    assert text.startswith("The machine went down" if "boot" in about else "The service was killed")


def fingerprint(caplog, **about) -> str:
    log_killed([RunMarker(boot=boot_id(), memory_total=GB, **about)], OomKills("c:1"))
    return str(vars(caplog.records[-1])[semconv.ALERT_FINGERPRINT])


def test_a_kill_for_memory_is_an_alert_of_its_own_after_one_for_another_reason(caplog):
    for_memory = [fingerprint(caplog, **about) for about in ({"memory_used": GB}, {"oom_group": "c:7", "oom_kills": 1})]

    assert len({*for_memory, fingerprint(caplog), fingerprint(caplog, oom_group="c:7")}) == 2
    assert len({*for_memory}) == 1
