import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telemetry.logs import cleanup, cleanup_old_database_backups, cleanup_old_logs

NOW = datetime(2025, 10, 2, 12, tzinfo=UTC)


def made(file: Path, days_ago: float = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    written = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(file, (written, written))
    return file


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_rotated_logs_that_are_too_old_go(tmp_path):
    for name in ("alerts.log.1", "shop.jsonl.3", "alerts.log.rotate.0123456789"):
        made(tmp_path / name, days_ago=30.1)
    made(tmp_path / "alerts.log.2", days_ago=29.9)

    removed = cleanup_old_logs(log_dir=tmp_path, now=NOW, service_name="shop")

    assert removed == 3
    assert names(tmp_path) == {"alerts.log.2"}


def test_logs_in_use_and_files_of_others_stay_however_old(tmp_path):
    files = {"alerts.log", "shop.jsonl", ".__alerts.lock", "nginx.log.1", "alerts.log.1.txt"}
    for name in files:
        made(tmp_path / name, days_ago=1000)

    assert cleanup_old_logs(log_dir=tmp_path, now=NOW, service_name="shop") == 0
    assert names(tmp_path) == files


def test_a_link_and_a_directory_stay_whatever_they_are_called(tmp_path):
    target = made(tmp_path / "elsewhere" / "precious", days_ago=1000)
    logs = tmp_path / "log"
    made(logs / "alerts.log.1" / "inside", days_ago=1000)
    (logs / "alerts.log.2").symlink_to(target)

    removed = cleanup_old_logs(max_age_days=0, log_dir=logs, now=NOW + timedelta(days=1))

    assert removed == 0
    assert target.exists()
    assert names(logs) == {"alerts.log.1", "alerts.log.2"}


def test_the_newest_backups_by_their_names_stay(tmp_path):
    of_one_second = ["shop-20251001T031000Z.db", "shop-20251001T031000Z-2.db", "shop-20251001T031000Z-10.db"]
    older, newer = "shop-20250930T031000Z.dump", "shop-20251002T031000Z.db"
    for age, name in enumerate([newer, older, *of_one_second]):
        made(tmp_path / name, days_ago=5 - age)  # a copied file's own time says nothing

    removed = cleanup_old_database_backups(max_backups=3, directory=tmp_path, service_name="shop")

    assert removed == 2
    assert names(tmp_path) == {newer, *of_one_second[1:]}


def test_ten_backups_stay_by_default(tmp_path):
    for day in range(1, 13):
        made(tmp_path / f"shop-202510{day:02}T031000Z.db")

    assert cleanup_old_database_backups(directory=tmp_path, service_name="shop") == 2
    assert len(names(tmp_path)) == 10


def test_files_that_are_no_backups_of_ours_stay(tmp_path):
    files = {
        "shop.db",
        "shop-20251001T031000Z.db-wal",
        ".shop-20251001T031000Z.db.partial",
        "shop-before-move.db",
        "other-20251001T031000Z.db",
    }
    for name in files:
        made(tmp_path / name)

    assert cleanup_old_database_backups(max_backups=0, directory=tmp_path, service_name="shop") == 0
    assert names(tmp_path) == files


def test_without_directories_those_of_the_environment_are_cleaned(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "log"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(cleanup, "_service_name", "app")
    cleanup.set_service_name("shop")
    made(tmp_path / "log" / "alerts.log.1", days_ago=1000)
    made(tmp_path / "data" / "backups" / "shop-20251001T031000Z.db")

    assert cleanup_old_logs(max_age_days=30, now=NOW) == 1
    assert cleanup_old_database_backups(max_backups=0) == 1


def test_a_directory_that_is_not_there_has_nothing_to_clean(tmp_path, caplog):
    assert cleanup_old_logs(log_dir=tmp_path / "none") == 0
    assert cleanup_old_database_backups(directory=tmp_path / "none") == 0
    assert caplog.records == []


def test_a_log_that_another_process_rotates_meanwhile_is_left_to_it(tmp_path):
    log = made(tmp_path / "alerts.log.1", days_ago=1000)
    (entry,) = cleanup._regular_files(tmp_path)

    log.rename(tmp_path / "alerts.log.2")

    assert not cleanup._written_before(entry, NOW)


def test_a_directory_that_cannot_be_read_is_one_warning(tmp_path, caplog):
    file = made(tmp_path / "file")

    assert cleanup_old_logs(log_dir=file) == 0
    assert caplog.messages == [f"{file} cannot be cleaned up (Not a directory)."]


def test_a_file_that_cannot_be_removed_is_one_warning_and_the_rest_goes(tmp_path, caplog):
    stuck, gone, loose = tmp_path / "alerts.log.1", tmp_path / "alerts.log.2", made(tmp_path / "alerts.log.3")
    stuck.mkdir()  # not even root can unlink a directory

    assert cleanup._remove([stuck, gone, loose]) == 1
    assert not loose.exists()
    (message,) = caplog.messages
    assert message.startswith(f"{stuck} cannot be removed (")


@pytest.mark.parametrize("clean", [lambda: cleanup_old_logs(-1), lambda: cleanup_old_database_backups(-1)])
def test_a_negative_number_is_refused_since_it_would_remove_everything(clean):
    with pytest.raises(ValueError, match="must be 0 or more"):
        clean()


def test_cleaning_up_says_nothing_when_all_is_well(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    made(tmp_path / "alerts.log.1", days_ago=1000)

    cleanup_old_logs(log_dir=tmp_path, now=NOW, service_name="shop")

    assert caplog.records == []
