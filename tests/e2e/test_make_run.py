"""`make run` on a machine with the wrong Python, and with and without uv. Nothing is installed here: the programs are stand-ins."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

pytestmark = pytest.mark.e2e


@pytest.fixture
def make(tmp_path: Path):
    """Runs make in a folder with the Makefile; its programs come from `bin` alone, and from the system."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "bin").mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def program(home: Path, name: str, script: str) -> None:
    file = home / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_an_old_python_is_refused_with_one_line(make, tmp_path):
    program(tmp_path, "python3.10", '[ "$1" = -V ] && echo "Python 3.10.13" || exit 1')

    done = make("run", "PYTHON=python3.10")

    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert (
        "Python 3.11 or newer is needed, and python3.10 is Python 3.10.13. Name another one, such as: make run" in line
    )
    assert done.stdout == ""
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_one_line(make):
    done = make("run", "PYTHON=python9")

    [line] = done.stderr.splitlines()
    assert "Python 3.11 or newer is needed, and python9 is not there." in line


@pytest.mark.parametrize(
    ("uv", "commands"),
    [
        (True, ["uv venv --quiet --seed --python python3.12 .venv", "uv pip install --python .venv/bin/python"]),
        (False, ["python3.12 -m venv .venv", ".venv/bin/python -m pip install --disable-pip-version-check"]),
    ],
)
def test_uv_installs_where_it_is_there_and_else_pip(make, tmp_path, uv, commands):
    program(tmp_path, "python3.12", "exit 0")
    if uv:
        program(tmp_path, "uv", "exit 0")

    planned = make("--dry-run", "run", "PYTHON=python3.12").stdout.replace(f"{tmp_path}/bin/", "")

    assert commands[0] in planned
    assert f"{commands[1]} --no-deps --require-hashes -r requirements.lock" in " ".join(
        planned.replace("\\", "").split()
    )
    assert "--quiet -r" not in planned
    assert planned.rstrip().endswith("exec .venv/bin/python -m service serve")
