"""What failed beside others is tried once more, alone; what fails again, and what is too much for an accident, fails the gate."""

import json
import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import service

again = runpy.run_path(str(Path(service.__file__).parents[1] / ".ci" / "again.py"))["main"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / ".pytest_cache" / "v" / "cache"
    cache.mkdir(parents=True)
    monkeypatch.setattr(subprocess, "run", pytest_of_a_stub)
    monkeypatch.setitem(again.__globals__, "FAILED", cache / "lastfailed")
    return tmp_path


def pytest_of_a_stub(command, **_others):
    """Exits as pytest does, for tests that are called by how they end."""
    assert command[1:5] == ("-m", "pytest", "-m", "not e2e")
    tests = [word.rpartition("_")[2] for word in command if "::" in word]
    return SimpleNamespace(returncode=4 if "gone" in tests else 1 if "bad" in tests else 0)


def failed(project: Path, *tests: str) -> None:
    (project / ".pytest_cache" / "v" / "cache" / "lastfailed").write_text(json.dumps(dict.fromkeys(tests, True)))


@pytest.mark.parametrize(
    ("tests", "result", "says"),
    [
        (["test_it.py::test_good"], 0, "AGAIN: 1 failed beside others and passed alone: test_it.py::test_good"),
        (["test_it.py::test_good", "test_it.py::test_bad"], 1, "AGAIN: 2 failed beside others and failed again"),
        (["test_it.py::test_gone"], 4, "failed again"),
        ([], 1, "AGAIN: 0 tests failed"),
        ([f"test_it.py::test_{number}" for number in range(6)], 1, "AGAIN: 6 tests failed"),
    ],
)
def test_the_gate_is_green_only_if_each_of_the_few_that_failed_passes_alone(project, capfd, tests, result, says):
    failed(project, *tests)

    assert again("not e2e") == result
    assert says in capfd.readouterr().out


def test_what_failed_on_one_python_is_not_tried_on_the_next(project, capfd):
    failed(project, "test_it.py::test_good")
    again("not e2e")

    assert again("not e2e") == 1
