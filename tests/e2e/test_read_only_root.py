"""As in the image: another user, no capabilities to write, and a root that is read-only but for the data and the logs."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.processes import ROOT, Programs, free_port

USER = 10001
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(700),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a file system read-only"),
    pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("setpriv"), reason="needs util-linux"),
]
# It may read whatever there is, wherever this test's Python is; it may write nothing that is not its own.
READING = "+dac_read_search"
IN_A_READ_ONLY_ROOT = """
set -e
mount --make-rprivate /
mount --bind {data} {data}
mount --bind {logs} {logs}
mount -o remount,ro,bind /
exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs \
  --inh-caps=-all,{reading} --ambient-caps=-all,{reading} --bounding-set=-all,{reading} {command}
"""


DATA, LOGS = "/var/lib/sovani", "/var/log/sovani-bot"


@pytest.fixture
def home() -> Iterator[Path]:
    """Beside nothing that this test's own files are in."""
    path = Path(f"/var/lib/sovani-test-{os.getpid()}")
    for each in (path / "data", path / "logs"):
        each.mkdir(parents=True, mode=0o700)
        os.chown(each, USER, USER)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def volumes(home: Path) -> Path:
    """As Kubernetes mounts them in a pod with `fsGroup`: root's, and open to the pod's group."""
    for each in (home / "data", home / "logs"):
        os.chown(each, 0, USER)
        each.chmod(0o2775)
    return home


def image() -> dict[str, str]:
    """The variables of the Dockerfile."""
    found = dict(re.findall(r"^(?:ENV )? *([A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    return {name: value for name, value in found.items() if name not in {"PATH", "HOST", "PORT"}}


def pod() -> dict[str, str]:
    """Those of the Dockerfile, and of the overlay with SQLite."""
    found = image()
    for directory in ("base", "overlays/sqlite"):
        kustomization = yaml.safe_load((ROOT / "deploy/kubernetes" / directory / "kustomization.yaml").read_text())
        [generated] = kustomization["configMapGenerator"]
        found.update(pair.split("=", 1) for pair in generated["literals"])
    return {name: value for name, value in found.items() if name not in {"HOST", "PORT"}}


def at(home: Path, variables: dict[str, str]) -> dict[str, str]:
    """With the test's directories in place of the volumes."""
    moved = {name: value.replace(DATA, str(home / "data")) for name, value in variables.items()}
    return {name: value.replace(LOGS, str(home / "logs")) for name, value in moved.items()}


def in_the_container(home: Path, *arguments: str) -> list[str]:
    """The command that runs `python -m service` as in the image."""
    command = shlex.join([sys.executable, "-m", "service", *arguments])
    script = IN_A_READ_ONLY_ROOT.format(
        data=home / "data",
        logs=home / "logs",
        user=USER,
        reading=READING,
        command=f"sh -c 'cd {ROOT} && exec {command}'",
    )
    return ["unshare", "--mount", "sh", "-c", script]


def made_in(home: Path) -> list[Path]:
    return [*(home / "data").rglob("*"), *(home / "logs").rglob("*")]


def test_the_service_runs_as_the_images_user_with_a_root_that_is_read_only(programs: Programs, home: Path):
    command = in_the_container(home, "serve", "--workers", "2")

    started = programs.start_command(*command, port=free_port(), **at(home, image()))
    started.wait_for("/readyz", within=300)

    assert started.get("/metrics").status_code == 200
    assert "anyone who reaches this service" not in started.said()  # HOST is loopback here
    made = made_in(home)
    assert (home / "data" / "sovani.db") in made
    assert {path.stat().st_uid for path in made} == {USER}
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_doctor_finds_nothing_in_a_pod_whose_volumes_are_open_to_its_group(programs: Programs, volumes: Path):
    variables = at(volumes, pod())
    started = programs.start_command(
        *in_the_container(volumes, "serve", "--workers", "2"), port=free_port(), **variables
    )
    started.wait_for("/readyz", within=300)

    examined = subprocess.run(
        in_the_container(volumes, "doctor"),
        cwd=programs.home,
        env=programs.environment(PORT=str(started.port), **variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert "No check failed." in examined.stdout
    assert {stat.S_IMODE(path.stat().st_mode) & 0o777 for path in made_in(volumes) if path.is_dir()} == {0o700}
    assert [path for path in made_in(volumes) if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert stat.S_IMODE((volumes / "data").stat().st_mode) == 0o2775


def test_the_image_is_what_it_says():
    text = (ROOT / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]

    assert f"\nUSER {USER}:{USER}\n" in last
    assert "--require-hashes" in text
    assert "/livez" in last
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (ROOT / copied).exists()
        assert f"!{copied.rstrip('/')}\n" in (ROOT / ".dockerignore").read_text()
