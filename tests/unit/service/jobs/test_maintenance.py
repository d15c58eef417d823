import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import URL

from service.database.backup import BackupFailed
from service.jobs import maintenance
from telemetry.alerts.service import AlertService
from telemetry.jobs.store.runs import JobRunRepository
from tests.support.job_runs import ended

NOW = datetime(2025, 10, 2, 3, 10, tzinfo=UTC)


def test_cleaning_the_logs_says_how_many_went(tmp_path):
    old = tmp_path / "alerts.log.1"
    old.touch()
    os.utime(old, ((NOW - timedelta(days=31)).timestamp(),) * 2)

    assert maintenance.clean_logs(tmp_path, NOW) == {"removed": 1}


def test_a_backup_leaves_the_newest_ten(sqlite_engine, tmp_path):
    runs = [
        maintenance.back_up_database(sqlite_engine.url, tmp_path / "backups", NOW + timedelta(days=day))
        for day in range(12)
    ]

    kept = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert [run["removed"] for run in runs] == [0] * 10 + [1, 1]
    assert kept == [run["backup"] for run in runs[2:]]
    assert runs[-1]["bytes"] == (tmp_path / "backups" / kept[-1]).stat().st_size


def test_a_backup_that_fails_removes_none_of_the_old_ones(tmp_path):
    backups = [tmp_path / f"sovani-202509{day:02}T031000Z.db" for day in range(1, 13)]
    for backup in backups:
        backup.touch()

    with pytest.raises(BackupFailed):
        maintenance.back_up_database(URL.create("sqlite", database=str(tmp_path / "none.db")), tmp_path, NOW)

    assert all(backup.exists() for backup in backups)


def test_runs_are_pruned_that_are_older_than_the_days_to_keep_and_what_they_came_to_is_kept(sqlite_engine):
    store = JobRunRepository(sqlite_engine)
    for days in (1, 89, 90, 91, 92):
        ends = NOW - timedelta(days=days)
        store.write([ended(days, started_at=ends, finished_at=ends)])

    metadata = maintenance.prune_job_runs(store, sqlite_engine, 90, NOW)

    assert (metadata["removed"], metadata["days_rolled_up"], metadata["missed_removed"]) == (2, 92, 0)
    assert len(store.page()) == 3


def test_what_is_over_its_threshold_is_told_in_the_run():
    lines = ["Disk space: 95% used (threshold: 90%)", "Memory: 91% used (threshold: 90%)"]

    assert maintenance.check_resources(AlertService(lambda: lines)) == {"findings": lines}


def test_without_telemetry_nothing_is_found():
    assert maintenance.check_resources(AlertService()) == {"findings": []}
