import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from service.bootstrap import FLUSH_TIMEOUT
from service.database import migrations
from service.database.schedule_tables import ScheduleWatchRow
from service.database.tables import SyncPositionRow
from service.shutdown import ShutdownRequested
from telemetry import setup
from telemetry.database import transaction
from telemetry.jobs.monitor import monitor_job
from tests.support.processes import eventually


def hold_on(until):
    """A job that does not let itself be cancelled."""
    for _ in range(2):
        with suppress(ShutdownRequested):
            until.wait(30)


def ready(runtime):
    end = time.monotonic() + 30
    while runtime.lifecycle.phase == "starting" and time.monotonic() < end:
        time.sleep(0.005)
    return runtime.lifecycle.phase == "ready"


def page(runtime):
    return runtime.telemetry.metrics.page.render()[0].decode()


def test_each_scheduled_job_has_its_series_before_it_ever_ran(runtime_of):
    shown = page(runtime_of())

    for job in ("check_resources", "cleanup_logs", "backup_database", "prune_job_runs"):
        for status in ("success", "failed"):
            assert f'scheduler_jobs_total{{job_name="{job}",status="{status}"}} 0\n' in shown
        for counted in (
            "scheduler_ticks_skipped",
            "scheduler_runs_missed",
            "scheduler_runs_overdue",
            "scheduler_runs_lost",
            "scheduler_runs_skipped",
        ):
            assert f'{counted}_total{{job_name="{job}"}} 0\n' in shown


def test_an_empty_database_is_migrated_and_then_it_is_ready(runtime_of, tmp_path):
    runtime = runtime_of(database_url=f"sqlite:///{tmp_path}/empty.db")

    runtime.start()

    assert ready(runtime)
    migrations.at_head(runtime.engine)


def test_without_its_database_it_starts_and_is_not_ready(runtime_of):
    runtime = runtime_of(database_url="postgresql://127.0.0.1:1/sovani")

    runtime.start()

    assert runtime.lifecycle.phase == "starting"


def test_the_scheduler_runs_only_where_it_is_wanted(runtime_of):
    runtime = runtime_of(scheduler=False)
    runtime.start()

    assert ready(runtime)
    assert runtime.scheduler._loop is None


def test_the_scheduler_runs_when_it_is_ready_and_no_longer_when_it_has_stopped(runtime_of):
    runtime = runtime_of(scheduler=True)
    runtime.start()
    assert ready(runtime)
    loop = runtime.scheduler._loop
    assert loop.is_alive()

    runtime.stop()

    assert not loop.is_alive()
    assert runtime.lifecycle.phase == "stopping"
    assert setup.current() is None


def watched(runtime):
    with transaction(runtime.engine) as session:
        return set(session.scalars(select(ScheduleWatchRow.job_name)))


def test_who_runs_the_schedule_watches_it_and_who_does_not_leaves_that_to_others(runtime_of):
    listening, running = runtime_of(scheduler=False), runtime_of(scheduler=True)

    listening.monitor.run_once()
    assert watched(listening) == set()
    running.monitor.run_once()

    assert watched(running) == {"backup_database", "check_resources", "cleanup_logs", "prune_job_runs"}


def test_the_watch_goes_on_when_it_is_ready_and_no_longer_when_it_has_stopped(runtime_of):
    runtime = runtime_of(scheduler=True)
    runtime.start()
    assert ready(runtime)
    assert runtime.monitor._thread.is_alive()

    runtime.stop()
    runtime.monitor._thread.join(30)

    assert not runtime.monitor._thread.is_alive()


def test_what_is_missed_and_what_is_overdue_are_counted(runtime_of):
    runtime = runtime_of()

    runtime.instruments.count_missed("cleanup_logs", 2)
    runtime.instruments.count_overdue("cleanup_logs")

    shown = page(runtime)
    assert 'scheduler_runs_missed_total{job_name="cleanup_logs"} 2\n' in shown
    assert 'scheduler_runs_overdue_total{job_name="cleanup_logs"} 1\n' in shown


def test_when_a_job_last_succeeded_is_known_from_before_the_process_began(runtime_of):
    first = runtime_of()
    with monitor_job("check_resources"):
        pass
    before = datetime.now(UTC).timestamp()
    first.stop()

    second = runtime_of()
    second.start()

    assert ready(second)
    [line] = [line for line in page(second).splitlines() if line.startswith("scheduler_job_last_success_timestamp")]
    assert line.startswith('scheduler_job_last_success_timestamp_seconds{job_name="check_resources"} ')
    assert 0 <= before - float(line.rsplit(" ", 1)[1]) < 60


def test_the_age_of_a_source_is_shown_as_soon_as_the_database_has_told_it(runtime_of):
    runtime = runtime_of(ozon_client_id="1", ozon_api_key="key-of-the-tests")
    began = datetime.now(UTC)
    with transaction(runtime.engine) as session:
        session.add(
            SyncPositionRow(name="ozon.reviews", position={}, began_at=began, completed_at=began, updated_at=began)
        )

    runtime.start()

    eventually(lambda: 'source_age_seconds{marketplace="ozon",source="ozon.reviews"}' in page(runtime), within=60)
    assert 'reviews_waiting{marketplace="wb",rating="5"} 0\n' in page(runtime)


def test_a_stop_takes_no_longer_than_it_may_while_a_job_goes_on_and_what_was_recorded_is_written(runtime_of):
    runtime = runtime_of(job_grace_seconds=0)
    never = threading.Event()
    assert runtime.scheduler.threads.start("stuck", lambda: hold_on(never))
    with monitor_job("written"):
        pass
    began = time.monotonic()

    runtime.stop()

    assert time.monotonic() - began < FLUSH_TIMEOUT + 5
    assert runtime.telemetry.jobs.store.latest()["written"].status == "success"
    runtime.engine.dispose()  # that looked at the database once more
    never.set()


def test_what_has_been_stopped_is_not_started_again(runtime_of):
    runtime = runtime_of()
    runtime.start()
    runtime.stop()

    with pytest.raises(RuntimeError, match=r"create_app\(\)"):
        runtime.start()


def test_a_stop_counts_from_the_moment_that_the_process_was_told(runtime_of):
    runtime = runtime_of(job_grace_seconds=10)
    never = threading.Event()
    assert runtime.scheduler.threads.start("stuck", lambda: hold_on(never))
    runtime.stop_signal._set_at = time.monotonic() - 10
    began = time.monotonic()

    runtime.stop()

    assert time.monotonic() - began < 9  # of the 10 that it would have
    never.set()


@pytest.mark.parametrize("part", ["_migration", "monitor", "scheduler", "clients"])
def test_a_part_that_cannot_be_stopped_does_not_keep_what_was_recorded_from_being_flushed(
    runtime_of, monkeypatch, part
):
    runtime = runtime_of()

    def fail(*_arguments):
        raise RuntimeError("no end")

    with monkeypatch.context() as broken:
        broken.setattr(type(getattr(runtime, part)), "close" if part == "clients" else "stop", fail)
        with pytest.raises(RuntimeError, match="no end"):
            runtime.stop()

    assert setup.current() is None
    runtime.stop()
