import time
from pathlib import Path

import psutil
import pytest

from telemetry.error_text import CheckFailed
from telemetry.health import checks
from telemetry.health.filesystem import Filesystem
from telemetry.health.report import CheckResult
from telemetry.health.system_resources import SystemResources
from telemetry.health.usage import Usage

GB = 1024**3
MB = 1024**2


def with_disks(*disks: Filesystem) -> SystemResources:
    return SystemResources(
        [Path(str(number)) for number in range(len(disks))], measure=lambda path: disks[int(str(path))]
    )


def test_a_ping_is_timed():
    result = checks.timed(lambda: time.sleep(0.02))()

    assert isinstance(result, CheckResult)
    assert 20 <= result.details["latency_ms"] < 1000


def test_a_ping_that_fails_fails_the_check():
    def broken() -> None:
        raise CheckFailed("no")

    with pytest.raises(CheckFailed):
        checks.timed(broken)()


def test_a_disk_with_room_is_ok():
    disk = Filesystem(1, Usage(65 * GB, 100 * GB), Usage(12, 100))

    assert checks.disk(with_disks(disk), 90)() == CheckResult(
        "ok", {"free_gb": 35.0, "used_percent": 65, "inodes_used_percent": 12}
    )


def test_a_disk_over_its_threshold_is_a_warning():
    disk = Filesystem(1, Usage(95 * GB, 100 * GB), None)

    assert checks.disk(with_disks(disk), 90)() == CheckResult(
        "warning", {"free_gb": 5.0, "used_percent": 95, "inodes_used_percent": None}
    )


def test_a_disk_without_inodes_left_is_a_warning_though_it_has_space():
    disk = Filesystem(1, Usage(10 * GB, 100 * GB), Usage(100, 100))

    assert checks.disk(with_disks(disk), 90)() == CheckResult(
        "warning", {"free_gb": 90.0, "used_percent": 10, "inodes_used_percent": 100}
    )


def test_the_worst_disk_decides_by_space_or_inodes():
    roomy = Filesystem(1, Usage(10 * GB, 100 * GB), None)
    fuller = Filesystem(2, Usage(80 * GB, 100 * GB), Usage(1, 100))
    worst = Filesystem(3, Usage(20 * GB, 100 * GB), Usage(85, 100))

    result = checks.disk(with_disks(roomy, fuller, worst), 90)()

    assert result == CheckResult("ok", {"free_gb": 80.0, "used_percent": 20, "inodes_used_percent": 85})


@pytest.mark.parametrize(("threshold", "status"), [(45, "ok"), (44, "warning")])
def test_memory_is_told_in_megabytes_and_percent(threshold, status):
    resources = SystemResources([], read_memory=lambda: Usage(45 * MB, 100 * MB))

    assert checks.memory(resources, threshold)() == CheckResult(status, {"available_mb": 55.0, "used_percent": 45})


def test_the_uptime_is_told_in_seconds_and_for_people():
    assert checks.uptime(lambda: 3600.49)() == CheckResult(details={"uptime_seconds": 3600.5, "uptime_human": "1h 0m"})


def test_the_uptime_is_the_systems():
    result = checks.uptime()()

    assert isinstance(result, CheckResult)
    assert result.details["uptime_seconds"] == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=1)


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_without_proc_the_uptime_is_counted_from_the_boot(tmp_path, content):
    file = tmp_path / "uptime"
    if content is not None:
        file.write_text(content)

    assert checks.system_uptime(file) == pytest.approx(time.time() - psutil.boot_time(), abs=2)
