"""Run markers: what is left of a killed service, of a replaced worker, and of another machine."""

import json
import os
import socket
import time
from dataclasses import asdict, replace

import pytest

from telemetry.processes.process_entry import name_of
from telemetry.processes.process_group import boot_id
from telemetry.processes.run_markers import KEEP_SECONDS, MAX_MARKER_BYTES, RunMarker, RunMarkers, examine

DEAD_PARENT = f"{boot_id()}-4711-1"


def marker(name: str, **about) -> RunMarker:
    moments = {"started": 100.0, "seen": 200.0, "started_at": time.time() - 100, "seen_at": time.time()}
    return RunMarker(**{"id": name, "host": socket.gethostname(), "boot": boot_id(), **moments, **about})


def killed(markers, live=()):
    return [sorted(each.id for each in service) for service in examine(markers, set(live)).killed.values()]


def settled(markers, live=()):
    return sorted(each.id for each in examine(markers, set(live)).settled)


def test_a_dead_process_that_served_alone_was_killed_and_a_live_one_beside_it_is_another_service():
    assert killed([marker("a"), marker("b")], live=["b"]) == [["a"]]


def test_the_processes_of_a_group_are_one_service_and_those_of_two_groups_are_two():
    found = [marker("a", group="g"), marker("b", group="g"), marker("c", group="h"), marker("d")]

    assert sorted(killed(found)) == [["a", "b"], ["c"], ["d"]]


def test_workers_without_a_group_are_one_service_by_their_parent():
    assert killed([marker("a", keeper=DEAD_PARENT), marker("b", keeper=DEAD_PARENT)]) == [["a", "b"]]


def test_a_worker_whose_parent_lives_will_be_replaced():
    parent = f"{boot_id()}-{name_of(os.getppid())}"
    found = [marker("a", group="g", keeper=parent), marker("b", keeper=parent)]

    assert (killed(found), settled(found)) == ([], ["a", "b"])


@pytest.mark.parametrize(("began", "was_replaced"), [(150.0, True), (201.0, False)])
def test_a_group_goes_on_with_a_worker_that_served_before_the_kill_and_not_with_one_that_began_after_it(
    began, was_replaced
):
    found = [marker("a", group="port-1"), marker("b", group="port-1", started=began)]

    assert killed(found, live=["b"]) == ([] if was_replaced else [["a"]])
    assert settled(found, live=["b"]) == (["a"] if was_replaced else [])


def test_a_worker_of_an_earlier_start_of_the_machine_was_not_replaced_by_one_of_this_start():
    found = [marker("a", group="named-x", boot="earlier", seen=9e9), marker("b", group="named-x")]

    assert killed(found, live=["b"]) == [["a"]]


@pytest.mark.parametrize(
    ("about", "counts"),
    [
        ({"boot": "earlier"}, True),
        ({"host": "another-container"}, True),
        ({"boot": "earlier", "host": "another-machine"}, False),
    ],
)
def test_what_another_machine_left_is_for_that_machine(about, counts):
    assert bool(killed([marker("a", **about)])) is counts
    assert settled([marker("a", **about)]) == []


@pytest.mark.parametrize("away", [-1, 1])
def test_what_another_machine_left_is_removed_after_a_month_whatever_its_clock(away):
    old = marker("a", boot="b", host="c", seen_at=time.time() + away * (KEEP_SECONDS + 60))

    assert settled([old]) == ["a"]


def test_a_marker_is_read_as_it_was_written_and_overwritten_in_place(tmp_path):
    markers, first = RunMarkers(tmp_path), marker("a", group="g" * 200, is_orphaned=True, memory_used=2**60)
    markers.write(first)
    size, inode = (path := markers.directory / "a.json").stat().st_size, path.stat().st_ino

    markers.write(newer := replace(first, group="", seen=201.5))

    assert markers.read() == [newer]
    assert (path.stat().st_size, path.stat().st_ino, path.stat().st_mode & 0o077) == (size, inode, 0)
    assert size == MAX_MARKER_BYTES


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\xff" * 9000,
        b"[1, 2]",
        b"{}",
        b'{"id": "b"}',
        b'{"id": "a", "pid": "many"}',
        b'{"id": "a", "seen": null}',
    ],
)
def test_what_is_no_marker_is_left_alone(tmp_path, content):
    markers = RunMarkers(tmp_path)
    markers.write(marker("z"))
    (markers.directory / "a.json").write_bytes(content)

    assert [each.id for each in markers.read()] == ["z"]


def test_a_marker_of_another_version_is_read_as_far_as_it_is_known(tmp_path):
    markers = RunMarkers(tmp_path)
    markers.write(marker("z"))
    values = asdict(marker("a")) | {"moon": "full"}
    del values["memory_total"]
    (markers.directory / "a.json").write_text(json.dumps(values))

    assert [(each.id, each.memory_total) for each in markers.read()] == [("a", 0), ("z", 0)]


def test_a_directory_that_does_not_exist_has_no_markers_and_none_to_remove(tmp_path):
    markers = RunMarkers(tmp_path / "gone")

    markers.remove(["a"])

    assert markers.read() == []
    assert not (tmp_path / "gone").exists()
