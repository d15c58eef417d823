"""What the flows share: programs that are killed at the end, whatever happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    programs = Programs(tmp_path)
    yield programs
    programs.kill()
