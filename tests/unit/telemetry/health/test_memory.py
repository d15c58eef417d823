from pathlib import Path

import psutil
import pytest

from telemetry.health.memory import OomKills, memory, oom_kills
from telemetry.health.usage import Usage

MB = 1024**2
MACHINE = psutil.virtual_memory().total


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    return tmp_path


def belongs_to(root: Path, group: str) -> None:
    (root / "proc/self/cgroup").write_text(f"4:memory:/old\n0::{group}\n")


def group(root: Path, path: str, limit: int | str, current: int = 0, inactive: int = 0) -> None:
    directory = root / "sys/fs/cgroup" / path
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "memory.max").write_text(f"{limit}\n")
    (directory / "memory.current").write_text(f"{current}\n")
    (directory / "memory.stat").write_text(f"anon 1\nfile 2\ninactive_file {inactive}\nactive_file 3\n")


def is_the_machines(usage: Usage) -> bool:
    return usage.total == MACHINE and 0 < usage.used < MACHINE


def test_a_containers_limit_is_what_counts_and_cache_that_can_be_given_back_is_free(root):
    belongs_to(root, "/")
    group(root, "", limit=512 * MB, current=400 * MB, inactive=150 * MB)

    assert memory(root) == Usage(used=250 * MB, total=512 * MB)


def test_the_group_is_the_processs_own(root):
    belongs_to(root, "/system.slice/sovani.service")
    group(root, "system.slice/sovani.service", limit=256 * MB, current=64 * MB)
    group(root, "system.slice/other.service", limit=128 * MB, current=128 * MB)

    assert memory(root) == Usage(used=64 * MB, total=256 * MB)


def test_of_several_limits_the_nearest_counts(root):
    belongs_to(root, "/system.slice/sovani.service")
    group(root, "system.slice/sovani.service", limit=256 * MB, current=64 * MB)
    group(root, "system.slice", limit=1024 * MB, current=1000 * MB)

    assert memory(root) == Usage(used=1000 * MB, total=1024 * MB)


def test_a_hosts_path_that_the_container_cannot_see_leads_to_its_own_top(root):
    belongs_to(root, "/kubepods/pod1/container2")
    group(root, "", limit=512 * MB, current=100 * MB)

    assert memory(root) == Usage(used=100 * MB, total=512 * MB)


@pytest.mark.parametrize("path", ["/../../other", "/.."])
def test_a_path_out_of_the_namespace_stays_inside_the_cgroups(root, path):
    belongs_to(root, path)
    (root / "sys/fs/memory.max").write_text("1")
    group(root, "", limit=512 * MB, current=100 * MB)

    assert memory(root) == Usage(used=100 * MB, total=512 * MB)


def test_usage_is_never_negative(root):
    belongs_to(root, "/")
    group(root, "", limit=512 * MB, current=10 * MB, inactive=20 * MB)

    assert memory(root) == Usage(used=0, total=512 * MB)


def test_a_limit_that_says_max_is_none(root):
    belongs_to(root, "/")
    group(root, "", limit="max", current=10)

    assert is_the_machines(memory(root))


def test_a_limit_over_the_machines_memory_is_none(root):
    belongs_to(root, "/")
    group(root, "", limit=2 * MACHINE, current=10)

    assert is_the_machines(memory(root))


def test_a_group_that_cannot_be_read_is_none(root):
    belongs_to(root, "/")
    group(root, "", limit=512 * MB)
    (root / "sys/fs/cgroup/memory.current").write_text("nonsense")

    assert is_the_machines(memory(root))


def test_without_cgroups_it_is_the_machines_memory(tmp_path):
    assert is_the_machines(memory(tmp_path))


def group_v1(root: Path, path: str, limit: int | str, current: int = 0, inactive: int = 0) -> None:
    directory = root / "sys/fs/cgroup/memory" / path
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (directory / "memory.usage_in_bytes").write_text(f"{current}\n")
    (directory / "memory.stat").write_text(f"cache 1\ninactive_file 1\ntotal_inactive_file {inactive}\n")


V1 = "9:name=systemd:/system.slice\n5:cpu,cpuacct:/cpu\n4:memory:/docker/abc\n0::/\n"
NO_LIMIT_OF_V1 = 9223372036854771712


def test_the_old_cgroups_limit_is_what_counts(root):
    (root / "proc/self/cgroup").write_text(V1)
    group_v1(root, "", limit=NO_LIMIT_OF_V1, current=MACHINE // 2)
    group_v1(root, "docker/abc", limit=512 * MB, current=400 * MB, inactive=150 * MB)
    group_v1(root, "docker/other", limit=128 * MB, current=128 * MB)

    assert memory(root) == Usage(used=250 * MB, total=512 * MB)


def test_of_several_old_limits_the_nearest_counts(root):
    (root / "proc/self/cgroup").write_text(V1)
    group_v1(root, "docker/abc", limit=256 * MB, current=64 * MB)
    group_v1(root, "docker", limit=1024 * MB, current=1000 * MB)

    assert memory(root) == Usage(used=1000 * MB, total=1024 * MB)


def test_an_old_hosts_path_that_the_container_cannot_see_leads_to_its_own_top(root):
    (root / "proc/self/cgroup").write_text(V1)
    group_v1(root, "", limit=512 * MB, current=100 * MB)

    assert memory(root) == Usage(used=100 * MB, total=512 * MB)


def test_controllers_that_share_a_hierarchy_are_found(root):
    (root / "proc/self/cgroup").write_text("4:cpu,memory:/docker/a:b\n")
    group_v1(root, "docker/a:b", limit=512 * MB, current=100 * MB)

    assert memory(root) == Usage(used=100 * MB, total=512 * MB)


@pytest.mark.parametrize("limit", [NO_LIMIT_OF_V1, -1, 0, "nonsense", 2 * MACHINE])
def test_an_old_limit_that_is_none(root, limit):
    (root / "proc/self/cgroup").write_text(V1)
    group_v1(root, "docker/abc", limit=limit, current=10)

    assert is_the_machines(memory(root))


@pytest.mark.parametrize("lines", ["", "nonsense\n", "4:memory\n", "4:cpu:/\n"])
def test_with_the_old_cgroups_and_no_group_it_is_the_machines_memory(root, lines):
    (root / "proc/self/cgroup").write_text(lines)

    assert is_the_machines(memory(root))


def test_this_machines_memory_can_be_read():
    assert 0 < memory().share < 1


def test_the_kernels_kills_are_those_of_the_processs_own_group(root):
    belongs_to(root, "/system.slice/sovani.service")
    for path, number in (("system.slice", 9), ("system.slice/sovani.service", 2)):
        group(root, path, limit="max")
        (root / "sys/fs/cgroup" / path / "memory.events").write_text(f"low 0\noom 5\noom_kill {number}\n")

    found = oom_kills(root)

    assert found.count == 2
    assert found.group.rpartition(":")[0].endswith("system.slice/sovani.service")


def test_the_kernels_kills_of_the_first_version_of_groups_are_read(root):
    (root / "proc/self/cgroup").write_text("4:memory:/box\n")
    directory = root / "sys/fs/cgroup/memory/box"
    directory.mkdir(parents=True)
    (directory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")

    assert oom_kills(root).count == 3


@pytest.mark.parametrize("content", [None, "oom_kill many\n", "low 0\n", "?"])
def test_without_a_counter_of_kills_nothing_is_known_of_them(root, content):
    belongs_to(root, "/")
    if content is not None:
        (root / "sys/fs/cgroup/memory.events").write_text(content)

    assert oom_kills(root) == OomKills()
    assert OomKills().since(OomKills()) == 0


def test_kills_are_counted_within_one_group_and_a_new_container_has_another():
    assert OomKills("a:1", 5).since(OomKills("a:1", 3)) == 2
    assert OomKills("a:2", 5).since(OomKills("a:1", 3)) == 0
