"""The Pythons that the tests run on: each supported minor version once, of pyenv and of the PATH."""

import runpy
import sys
from pathlib import Path

import pytest

import service

pythons = runpy.run_path(str(Path(service.__file__).parents[1] / ".ci" / "pythons.py"))


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{tmp_path / 'nowhere'}")
    (tmp_path / "bin").mkdir()
    return tmp_path


def install(program: Path, says: str, code: int = 0) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    program.chmod(0o700)


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    pythons["main"]()
    return capsys.readouterr().out.splitlines()


def test_each_minor_version_is_listed_once_the_oldest_first_and_pyenv_s_newest_patch_of_it(machine, capsys):
    pyenv = machine / ".pyenv" / "versions"
    for version in ("3.13.0", "3.11.7", "3.11.10", "3.9.1", "2.7.18"):
        install(pyenv / version / "bin" / "python3", f"final {version.replace('.', ' ')}")
    install(machine / "bin" / "python3.11", "final 3 11 99")
    install(machine / "bin" / "python3.12", "final 3 12 3")

    assert listed(capsys) == [
        f"3.11 {pyenv}/3.11.10/bin/python3",
        f"3.12 {machine}/bin/python3.12",
        f"3.13 {pyenv}/3.13.0/bin/python3",
    ]


@pytest.mark.parametrize(
    ("says", "code"),
    [("", 127), ("", 0), ("candidate 3 15 0", 0), ("final 3 10 14", 0), ("pyenv: version not found", 1), ("final", 0)],
)
def test_what_does_not_start_or_is_no_supported_release_is_left_out(machine, capsys, says, code):
    install(machine / "bin" / "python3.12", says, code)
    (machine / "bin" / "python3.13").write_text("not executable")
    install(machine / "bin" / "python3.12-config", "final 3 12 1")

    assert listed(capsys) == []
    assert pythons["main"]() == 1


def test_a_python_without_venv_is_left_out(machine, capsys):
    program = machine / "bin" / "python3.11"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -S -c \"import sys; sys.modules['venv'] = None; $2\"\n")
    program.chmod(0o700)

    assert listed(capsys) == []
