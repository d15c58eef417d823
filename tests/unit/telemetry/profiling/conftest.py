"""A program that stands for py-spy, and the real one."""

import os
from pathlib import Path

import pytest

from telemetry.profiling import ProfileTarget

STACKS = "main (a.py:1);work (service/b.py:2) 3\nmain (a.py:1) 1\n"
SAMPLES = """
sample() { printf '%s' 'STACKS' > "$out"; echo "py-spy> Wrote it. Samples: 4 Errors: 2"; }
"""
START = """#!/bin/sh
out=
echo "$@" > "$0.arguments"
for word in "$@"; do [ "$previous" = --output ] && out=$word; previous=$word; done
"""
BEGIN = 'echo "py-spy> Sampling process 100 times a second."\n'


class FakePySpy:
    """Makes programs that behave like py-spy."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "py-spy"

    def _does(self, commands: str, stacks: str = STACKS) -> Path:
        self.path.write_text(f"{START}{SAMPLES.replace('STACKS', stacks)}{commands}\n")
        self.path.chmod(0o700)
        return self.path

    def samples_at_once(self, says: str = "", stacks: str = STACKS) -> Path:
        return self._does(f"{BEGIN}sample; echo '{says}'", stacks)

    def samples_until_interrupted(self) -> Path:
        return self._does(f"trap 'sample; exit 0' INT\n{BEGIN}while :; do sleep 0.02; done")

    def hangs(self) -> Path:
        return self._does(f"trap '' INT\n{BEGIN}while :; do sleep 0.02; done")

    def never_begins(self) -> Path:
        return self._does("while :; do sleep 0.02; done")

    def complains(self, sentence: str) -> Path:
        return self._does(f"echo '{sentence}' >&2; exit 1")

    @property
    def arguments(self) -> list[str]:
        return Path(f"{self.path}.arguments").read_text().split()


@pytest.fixture
def py_spy(tmp_path):
    return FakePySpy(tmp_path)


@pytest.fixture
def target():
    return ProfileTarget(os.getpid(), "worker 0 (pid 1)")
