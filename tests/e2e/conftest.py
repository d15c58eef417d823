"""What the end-to-end tests share: the programs that pip can't bring, and the service under them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import Programs


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    programs = Programs(tmp_path_factory.mktemp("e2e"))
    yield programs
    programs.kill()


@pytest.fixture(scope="session")
def prometheus() -> str:
    return _installed("prometheus")


@pytest.fixture(scope="session")
def promtool() -> str:
    return _installed("promtool")


def _installed(program: str) -> str:
    """Where it is; without it a test is skipped, but never in CI."""
    if path := shutil.which(program):
        return str(Path(path))
    if os.environ.get("CI"):
        pytest.fail(f"{program} is not on the PATH, and CI is set: nothing is left out there.")
    pytest.skip(f"{program} is not on the PATH.")
