"""Workers are killed under load: every answer that a client got is counted, whatever is wrong with the workers' directory."""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import Final

import psutil
import pytest

from tests.support.processes import Program, Programs, eventually
from tests.support.worker_consistency import ConsistencyCheck, kill_one, workers

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
WORKERS: Final = 4
KILLS: Final = int(os.environ.get("WORKER_KILLS", "10"))
AROUND: Final = 3
"""Kills before a fault, and after it: with workers that had a file, and with those that got one since."""
_SAID: Final = "A worker that is killed loses the measurements of its last second"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "var" / "workers"
    directory.mkdir(0o700, parents=True)
    return directory


@pytest.fixture
def start(tmp_path: Path, directory: Path) -> Iterator[Callable[[], Program]]:
    programs = Programs(tmp_path)

    def started() -> Program:
        assert directory.exists()
        service = programs.uvicorn("service.main:app", "--workers", str(WORKERS), SCHEDULER="false")
        service.wait_for("/readyz", within=120)
        wait_for_all(service)
        return service

    yield started
    programs.kill()


def wait_for_all(service: Program) -> None:
    eventually(lambda: len(workers(service)) == WORKERS, within=120)


def kill(check: ConsistencyCheck, number: int) -> None:
    """Kill so many workers under load, each after the successor of the one before has started."""
    until = len(check.kills) + number
    for _ in range(number * 10):
        if len(check.kills) >= until:
            break
        check.run(2, kill_one, interval=1.9)
        wait_for_all(check.service)
    assert len(check.kills) >= until


def kill_each(check: ConsistencyCheck, victims: list[psutil.Process]) -> None:
    """Kill these workers under load."""

    def kill_next(check: ConsistencyCheck, _chance: Random) -> None:
        victims.pop().kill()
        check.kills.append(0.0)

    while victims:
        check.run(2, kill_next, interval=1.9)
        wait_for_all(check.service)


def assert_all_is_counted(check: ConsistencyCheck) -> None:
    page = eventually(check.counted)
    answered, counted, sent = sum(check.client.answered.values()), sum(page.values()), sum(check.client.sent.values())
    print(f"{len(check.kills)} kills: {answered} answered, {counted} counted, {sent} sent")  # noqa: T201
    assert check.missing(page) == 0
    assert check.never_sent(page) == 0
    assert check.decreased == []


def assert_is_complete_again(check: ConsistencyCheck) -> None:
    """From the time on when every worker has its file, none is shown short."""
    eventually(lambda: not check.missing(check.counted()))
    assert_all_is_counted(check)


def test_killed_workers_take_nothing_that_a_client_had_an_answer_for(start: Callable[[], Program]):
    check = ConsistencyCheck(start())

    kill(check, KILLS)

    assert_all_is_counted(check)


def test_a_directory_that_is_removed_in_between_takes_nothing(start: Callable[[], Program], directory: Path):
    service = start()
    check = ConsistencyCheck(service)

    for _ in range(3):
        kill(check, 2)
        eventually(lambda: has_four_and_no_dead(service, directory), within=60)
        check.run(2, lambda *_: shutil.rmtree(directory, ignore_errors=True), interval=1.0)
        eventually(lambda: len(list(directory.glob("*/*.numbers"))) == WORKERS, within=60)
        assert_is_complete_again(check)


def has_four_and_no_dead(service: Program, directory: Path) -> bool:
    """All workers serve, and whoever was killed is in the archive, which each has read within the last second."""
    ages = service.get("/metrics", timeout=20).text.count("\ntelemetry_worker_snapshot_age_seconds{")
    return ages == WORKERS == len(list(directory.glob("*/*.json")))


@contextmanager
def read_only(directory: Path) -> Generator[None]:
    """The directory takes no other files; those that are there can be written."""
    [group] = directory.iterdir()
    if os.geteuid():
        group.chmod(0o500)
    elif subprocess.run(["chattr", "+i", str(group)], check=False, capture_output=True).returncode:
        pytest.skip("root writes into every directory here")
    try:
        yield
    finally:
        if os.geteuid():
            group.chmod(0o700)
        else:
            subprocess.run(["chattr", "-i", str(group)], check=True)


@contextmanager
def full_disk(directory: Path) -> Generator[None]:
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def small_disk(directory: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "workers", str(directory)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only the administrator may mount a small disk")
    yield
    subprocess.run(["umount", "--lazy", str(directory)], check=False)


def survives(
    service: Program, directory: Path, fault: Callable[[Path], AbstractContextManager[None]], messages: int = 0
) -> ConsistencyCheck:
    """Kill some before, four who have their files while nothing can be written, and some afterwards.

    The fault lasts until so many workers that have started in it have logged that they cannot create their file.
    """
    check = ConsistencyCheck(service)
    kill(check, AROUND)
    assert_all_is_counted(check)
    eventually(lambda: has_four_and_no_dead(service, directory), within=60)
    with fault(directory):
        kill_each(check, workers(service))
        check.run(2, None, interval=1.0)
        eventually(lambda: service.said().count(_SAID) >= messages, within=120)
    eventually(lambda: len(list(directory.glob("*/*.numbers"))) == WORKERS, within=60)
    assert_is_complete_again(check)
    kill(check, AROUND)
    return check


def test_on_a_full_disk_nothing_is_lost(small_disk: None, start: Callable[[], Program], directory: Path):
    service = start()

    check = survives(service, directory, full_disk)

    assert_all_is_counted(check)
    assert _SAID not in service.said()  # the numbers are in memory, and a link to them needs no room


def test_in_a_read_only_directory_nothing_is_lost_with_workers_that_had_a_file(
    start: Callable[[], Program], directory: Path
):
    service = start()

    check = survives(service, directory, read_only, messages=WORKERS)

    assert_all_is_counted(check)
    assert service.said().count(_SAID) == WORKERS  # once for each of those that started meanwhile
