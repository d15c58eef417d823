"""All faults of job runs at once: kills, forks inside of runs, a database that is locked, and spools that are full, foreign or odd."""

import logging
import os
import shutil
import signal
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import URL, Engine

from telemetry.database import create_engine, transaction
from telemetry.jobs.recorder.spool_codec import encode
from telemetry.jobs.store.tables import JobRunRow
from tests.support.crash_worker import CrashWorkers, RunComparison, kill
from tests.support.job_runs import ended, run_id, started
from tests.support.processes import Programs, eventually
from tests.support.spools import leave_spool

_log = logging.getLogger(__name__)
pytestmark = pytest.mark.e2e
WITHIN = 60.0
KILLS, FORKS = 15, 100  # on each of the two databases
LOCKED_SECONDS = 5.0


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()


@pytest.fixture
def other_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(URL.create("sqlite", database=str(shutil.copy(sqlite_template, tmp_path / "other.db"))))
    yield engine
    engine.dispose()


def leave_odd_spools(spools: Path) -> None:
    """Run 1 ended, but its file has odd lines; run 2 is for a database that nobody has; run 3 began at no date."""
    leave_spool(spools, started(1), ended(1))
    [file] = spools.glob("*.runs")
    wrong_date = encode(ended(3)).partition(b" ")[2].rstrip(b"\n").replace(b"2025-10-02T12", b"2025-15-42T99")
    odd = (b"\xff\xfe\0odd\n", b"\n", b"0" * 3_000_000 + b"\n", b"%08x %b\n" % (zlib.crc32(wrong_date), wrong_date))
    file.write_bytes(b"".join(odd) + file.read_bytes() + encode(ended(4))[:100])
    leave_spool(spools, started(2), ended(2), database="postgresql://nowhere/shop")
    (spools / "aa.000000.runs").mkdir()
    (spools / "bb.000000.runs").symlink_to(spools / "nowhere")
    (spools / "cc.000000.runs").touch()
    os.mkfifo(spools / "dd.000000.runs")


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """No run can be written meanwhile."""
    with engine.connect() as connection:
        lock = "UPDATE job_runs SET id = id" if engine.dialect.name == "sqlite" else "LOCK TABLE job_runs"
        connection.execute(text(lock))
        yield
        connection.rollback()


def rows_of(engine: Engine) -> dict[str, str | None]:
    with transaction(engine) as session:
        return dict(session.execute(select(JobRunRow.run_id, JobRunRow.outcome)).tuples().all())


@pytest.mark.timeout(300)
def test_under_all_faults_at_once_each_run_has_its_outcome_in_its_database(
    engine: Engine, other_engine: Engine, programs: Programs
):
    began, here = time.monotonic(), str(programs.home / "here")
    leave_odd_spools(programs.home / "here" / "spool" / "job_runs")
    workers = CrashWorkers(programs, engine, DATA_DIR=here)
    others = CrashWorkers(programs, other_engine, "others.log", DATA_DIR=here)
    full = workers.start(threads=8, SPOOL_BYTES="40000")
    forking = workers.start(threads=4, longest=0.1, FORKS=str(FORKS))
    stranger = others.start(threads=4)
    killer = workers.start(threads=10, kills=KILLS, FORKS="5")
    with locked(engine):
        time.sleep(LOCKED_SECONDS)
    assert killer.exit_code(within=150) == 0, killer.said()
    eventually(lambda: workers.compare_runs().forked >= FORKS, 150)
    kill(stranger)
    for steady in (full, forking):
        steady.tell(signal.SIGTERM)
        assert steady.exit_code(within=60) == 0, steady.said()
    _log.info("all ended after %.1f s", time.monotonic() - began)

    workers.start(threads=1, shortest=300)
    others.start(threads=1, shortest=300)
    ended_at = time.monotonic()

    def settled(workers: CrashWorkers) -> RunComparison | None:
        comparison = workers.compare_runs()
        return comparison if len(comparison.running) == 1 and not comparison.without_a_row else None

    ours, theirs = eventually(lambda: settled(workers), WITHIN), eventually(lambda: settled(others), WITHIN)
    assert time.monotonic() - ended_at < WITHIN
    assert (ours.mismatched, theirs.mismatched) == ({}, {})
    assert len(ours.killed) > KILLS
    assert "can't be kept on the disk" in full.said()
    assert rows_of(engine).keys() == {*ours.rows, run_id(1)}
    assert rows_of(engine)[run_id(1)] == "success"
    assert rows_of(other_engine).keys() == {*theirs.rows}
    assert not ours.rows.keys() & theirs.rows.keys()
    _log.info("%d forks, %d runs: %s", ours.forked, len(ours.started), ours.outcomes())
    _log.info("settled after %.1f s, of the other database: %s", time.monotonic() - ended_at, theirs.outcomes())
