"""As in the image: another user, no capabilities to write, and a root that is read-only but for the data and the logs."""

import os
import re
import shlex
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Programs, free_port

USER = 10001
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(120),
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


@pytest.fixture
def home():
    """Beside nothing that this test's own files are in."""
    path = Path(f"/var/lib/sovani-test-{os.getpid()}")
    for each in (path / "data", path / "logs"):
        each.mkdir(parents=True, mode=0o700)
        os.chown(each, USER, USER)
    yield path
    shutil.rmtree(path)


def variables() -> dict[str, str]:
    """Those of the Dockerfile."""
    found = dict(re.findall(r"^(?:ENV )? *([A-Z_]+)=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    return {name: value for name, value in found.items() if name not in {"PATH", "HOST", "PORT"}}


def test_the_service_runs_as_the_images_user_with_a_root_that_is_read_only(programs: Programs, home: Path):
    places = {"/var/lib/sovani": str(home / "data"), "/var/log/sovani-bot": str(home / "logs")}
    image = variables()
    for inside, outside in places.items():
        image = {name: value.replace(inside, outside) for name, value in image.items()}
    command = shlex.join([sys.executable, "-m", "service", "serve", "--workers", "2"])
    script = IN_A_READ_ONLY_ROOT.format(
        data=home / "data",
        logs=home / "logs",
        user=USER,
        reading=READING,
        command=f"sh -c 'cd {ROOT} && exec {command}'",
    )

    started = programs.start_command("unshare", "--mount", "sh", "-c", script, port=free_port(), **image)
    started.wait_for("/readyz", within=60)

    assert started.get("/metrics").status_code == 200
    assert "anyone who reaches this service" not in started.said()  # HOST is loopback here
    made = [*(home / "data").rglob("*"), *(home / "logs").rglob("*")]
    assert (home / "data" / "sovani.db") in made
    assert {path.stat().st_uid for path in made} == {USER}
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_image_is_what_it_says():
    text = (ROOT / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]

    assert f"\nUSER {USER}:{USER}\n" in last
    assert "--require-hashes" in text
    assert "/livez" in last
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.MULTILINE):
        assert (ROOT / copied).exists()
        assert f"!{copied.rstrip('/')}\n" in (ROOT / ".dockerignore").read_text()
