"""A disk that hangs while a job's start or end is kept on it."""

import asyncio
import threading

import pytest

from telemetry.jobs import monitor_job
from telemetry.jobs.recorder import intake
from telemetry.jobs.recorder.writer import Recorder
from tests.support.spools import ProcessSpool, orphans

SOON = 30.0


class HungSpool(ProcessSpool):
    """Hangs while `gate` is closed, as a file on a dead server does."""

    def __init__(self, directory):
        super().__init__(directory)
        self.gate = threading.Event()
        self.gate.set()

    def append(self, run):
        assert self.gate.wait(60)
        return super().append(run)


@pytest.fixture
def spool(tmp_path):
    return HungSpool(tmp_path / "spool")


@pytest.fixture
def written():
    return []


@pytest.fixture
def recorder(stage, spool, written, monkeypatch):
    monkeypatch.setattr("telemetry.jobs.read_your_writes.WAIT_TIMEOUT", 0.05)
    monkeypatch.setattr(intake, "RECORD_TIMEOUT", 0.05)
    recorder = Recorder(written.extend, spool=lambda: spool)
    stage.activate(recorder)
    yield recorder
    spool.gate.set()
    recorder.shutdown(SOON)


async def in_async_with():
    async with monitor_job("sync") as run:
        run.metadata["done"] = True


async def in_with():
    with monitor_job("sync") as run:
        run.metadata["done"] = True


@monitor_job("sync")
async def decorated():
    await asyncio.sleep(0)


@pytest.mark.parametrize("job", [in_async_with, in_with, decorated])
def test_the_event_loop_and_the_job_go_on(recorder, spool, written, job):
    spool.gate.clear()

    async def jobs():
        for _ in range(300):  # each of them would hang
            await job()

    asyncio.run(jobs())

    assert written == []
    spool.gate.set()
    assert recorder.flush(SOON)
    assert [run.status for run in written] == ["running", "success"] * 300


def test_a_job_in_a_thread_goes_on_as_well(recorder, spool, written):
    spool.gate.clear()

    with monitor_job("sync"):
        pass

    spool.gate.set()
    assert recorder.flush(SOON)
    assert [run.status for run in written] == ["running", "success"]


def test_nobody_who_looks_at_the_recorder_waits_for_the_disk(recorder, spool):
    spool.gate.clear()
    with monitor_job("sync"):
        assert (recorder.oldest_age(), recorder.open_runs()) == (0.0, [])
        assert recorder.balance().received == 0
    assert not recorder.flush(0.01)


def test_what_waits_for_the_disk_is_bounded_and_what_is_over_it_is_counted(stage, spool, written, monkeypatch):
    monkeypatch.setattr(intake, "RECORD_TIMEOUT", 0.01)
    dropped = []
    recorder = Recorder(written.extend, spool=lambda: spool, capacity=10, on_dropped=lambda *each: dropped.append(each))
    stage.activate(recorder)
    spool.gate.clear()

    for _ in range(20):
        with monitor_job("sync"):
            pass

    assert 28 <= len(dropped) <= 30
    assert set(dropped) == {(1, "full")}
    spool.gate.set()
    assert recorder.shutdown(SOON)
    assert len(written) == 40 - len(dropped)


def test_the_start_is_on_the_disk_before_the_first_line_of_a_coroutine(stage, tmp_path):
    directory, held = tmp_path / "kept", threading.Event()
    recorder = Recorder(lambda _runs: held.wait(60), spool=lambda: ProcessSpool(directory))
    stage.activate(recorder)

    async def job():
        async with monitor_job("sync") as run:
            lines = [line for path in directory.glob("*.runs") for line in path.read_text().splitlines()]
            return run.run_id, lines

    run_id, lines = asyncio.run(job())
    held.set()
    recorder.shutdown(SOON)

    assert len(lines) == 1
    assert run_id in lines[0]
    assert list(orphans(directory)) == []


def test_a_task_that_is_cancelled_before_its_first_line_has_ended(recorder, spool, written, monkeypatch):
    monkeypatch.setattr("telemetry.jobs.read_your_writes.WAIT_TIMEOUT", 60.0)
    spool.gate.clear()
    entered = []

    async def job():
        async with monitor_job("sync"):
            entered.append(True)

    async def cancelled():
        task = asyncio.create_task(job())
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancelled())
    spool.gate.set()
    assert recorder.flush(SOON)

    assert entered == []
    assert [run.outcome for run in written] == [None, "cancelled"]
