"""Fifteen workers are killed under load: every answer that a client got is counted, whatever is wrong with the disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import Program, Programs, eventually
from tests.support.worker_consistency import ConsistencyCheck, kill_one, workers

pytestmark = pytest.mark.e2e
WORKERS: Final = 4
KILLS: Final = 15
FILE_SIZE: Final = 1 << 20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Program]:
    programs = Programs(tmp_path)
    (tmp_path / "var" / "workers").mkdir(0o700, parents=True)
    service = programs.uvicorn("service.main:app", "--workers", str(WORKERS), SCHEDULER="false")
    service.wait_for("/readyz", within=120)
    eventually(lambda: len(workers(service)) == WORKERS, within=60)
    yield service
    programs.kill()


def kill(service: Program, check: ConsistencyCheck, number: int) -> None:
    """Kill so many workers under load, each after its predecessor's successor answers."""
    until = len(check.kills) + number
    for _ in range(number * 10):
        if len(check.kills) >= until:
            break
        check.run(2, kill_one, interval=1.9)
        eventually(lambda: len(workers(service)) == WORKERS, within=60)
    assert len(check.kills) >= until


def assert_all_is_counted(check: ConsistencyCheck) -> None:
    page = eventually(check.counted)
    answered, counted, sent = sum(check.client.answered.values()), sum(page.values()), sum(check.client.sent.values())
    print(f"{len(check.kills)} kills: {answered} answered, {counted} counted, {sent} sent")  # noqa: T201
    assert check.missing(page) == 0
    assert check.never_sent(page) == 0
    assert check.decreased == []


@pytest.mark.timeout(600)
def test_every_answer_is_counted_once(service: Program):
    check = ConsistencyCheck(service)

    kill(service, check, KILLS)

    assert_all_is_counted(check)
