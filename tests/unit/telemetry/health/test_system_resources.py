import time
from pathlib import Path

import psutil
import pytest

from telemetry.error_text import CheckFailed
from telemetry.health.filesystem import Filesystem
from telemetry.health.system_resources import SystemResources, check_system_resources
from telemetry.health.usage import Usage
from telemetry.settings import TelemetrySettings

HALF = Usage(50, 100)


def resources(disks: dict[str, Filesystem], memory: Usage = HALF) -> SystemResources:
    return SystemResources(
        [Path(name) for name in disks], measure=lambda path: disks[str(path)], read_memory=lambda: memory
    )


def settings(**values) -> TelemetrySettings:
    return TelemetrySettings(**values)


@pytest.mark.parametrize(
    ("used", "total", "percent"),
    [(0, 100, 0), (7, 100, 7), (901, 1000, 91), (900, 1000, 90), (1, 10**15, 1), (100, 100, 100), (0, 0, 0)],
)
def test_a_percentage_is_rounded_up_as_df_does(used, total, percent):
    assert Usage(used, total).percent == percent


@pytest.mark.parametrize(
    ("used", "threshold", "over"),
    [(900, 90, False), (901, 90, True), (950, 90, True), (990, 100, False), (1000, 100, True)],
)
def test_over_a_threshold_means_more_than_it_and_full_is_always_over(used, threshold, over):
    assert Usage(used, 1000).is_over(threshold) is over


def test_a_filesystem_is_measured_as_df_measures_it(tmp_path):
    expected = psutil.disk_usage(str(tmp_path))

    found = Filesystem.measure(tmp_path)

    assert found.device == tmp_path.stat().st_dev
    assert found.space.share * 100 == pytest.approx(expected.percent, abs=1)
    assert found.space.free == pytest.approx(expected.free, rel=0.01)


def test_a_path_that_is_not_there_yet_is_on_its_ancestors_filesystem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert Filesystem.measure(Path("var/log/later")).device == tmp_path.stat().st_dev


def test_a_filesystem_without_inodes_says_so():
    assert Filesystem.measure(Path("/proc")).inodes is None


def test_paths_on_one_filesystem_count_once(tmp_path):
    (tmp_path / "log").mkdir()

    found = SystemResources([tmp_path, tmp_path / "log", Path("/proc")]).disks()

    assert list(found) == [str(tmp_path), "/proc"]


def test_the_paths_are_those_that_are_written_to(tmp_path):
    chosen = settings(data_dir=Path("/proc"), log_dir=Path("/sys"), database_url=f"sqlite:///{tmp_path}/shop.db")

    assert set(SystemResources.from_settings(chosen).disks()) == {"/proc", "/sys", str(tmp_path)}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql+psycopg://127.0.0.1/shop"])
def test_a_database_that_is_no_file_has_no_path(url):
    found = SystemResources.from_settings(
        settings(data_dir=Path("/proc"), log_dir=Path("/sys"), database_url=url)
    ).disks()

    assert set(found) == {"/proc", "/sys"}


def test_metrics_are_shares_by_path():
    machine = resources({"var": Filesystem(1, Usage(65, 100), None)}, memory=Usage(45, 100))

    assert dict(machine.filesystems()) == {"var": 0.65}
    assert machine.memory() == 0.45


def test_a_mount_that_hangs_is_left_out_of_the_metrics_and_takes_no_more_threads(hang):
    def measure(path: Path) -> Filesystem:
        if path.name == "hung":
            hang()
        return Filesystem(1, HALF, None)

    machine = SystemResources([Path("hung"), Path("fine")], measure=measure, deadline=0.1)

    started = time.monotonic()
    found = [dict(machine.filesystems()) for _ in range(3)]

    assert found == [{"fine": 0.5}] * 3
    assert time.monotonic() - started < 2
    with pytest.raises(CheckFailed, match="no response within 100 ms"):
        machine.disks()


def test_a_disk_that_cannot_be_asked_is_an_error_and_left_out_of_the_metrics():
    def measure(path: Path) -> Filesystem:
        raise PermissionError(13, "Permission denied", str(path))

    machine = SystemResources([Path("var")], measure=measure)

    assert dict(machine.filesystems()) == {}
    with pytest.raises(PermissionError):
        machine.disks()


def test_nothing_is_said_of_resources_within_their_thresholds():
    machine = resources({"var": Filesystem(1, Usage(90, 100), Usage(90, 100))}, memory=Usage(80, 100))

    assert check_system_resources(machine, 90, 80) == []


def test_each_resource_over_its_threshold_is_one_line():
    machine = resources({"var": Filesystem(1, Usage(95, 100), Usage(97, 100))}, memory=Usage(93, 100))

    assert check_system_resources(machine, 90, 85) == [
        "Disk space: 95% used (threshold: 90%)",
        "Disk inodes: 97% used (threshold: 90%)",
        "Memory: 93% used (threshold: 85%)",
    ]


def test_of_several_disks_the_fullest_is_told():
    machine = resources(
        {
            "var": Filesystem(1, Usage(92, 100), None),
            "log": Filesystem(2, Usage(96, 100), None),
            "backups": Filesystem(3, Usage(10, 100), Usage(5, 100)),
        }
    )

    assert check_system_resources(machine, 90, 90) == ["Disk space: 96% used (threshold: 90%)"]
