"""Log files: four processes write 100,000 lines through many rotations, and every line is there, whole, once."""

from collections import Counter
from typing import Final

import pytest

from tests.support.processes import Programs

pytestmark = pytest.mark.e2e
PROCESSES: Final = 4
LINES: Final = 25_000
WRITER: Final = """
import logging
import sys
import time
from pathlib import Path

from telemetry.logs.rotating_file import RotatingFileHandler

file = RotatingFileHandler(Path("log/alerts.log"), logging.INFO, max_bytes=100_000)
file.backupCount = 1000  # so that none of them is removed
log = logging.getLogger("writer")
log.setLevel(logging.INFO)
log.addHandler(file)
while not Path("go").exists():
    time.sleep(0.01)
for line in range(int(sys.argv[2])):
    log.info("%s %s заказ %s", sys.argv[1], line, "x" * (line % 50))
"""


@pytest.mark.timeout(300)
def test_every_line_of_four_processes_is_there_whole_and_once_through_many_rotations(programs: Programs):
    writer = programs.write("writer.py", WRITER)
    (programs.home / "log").mkdir(exist_ok=True)

    writers = [programs.start(str(writer), str(number), str(LINES)) for number in range(PROCESSES)]
    (programs.home / "go").touch()
    assert [each.exit_code(within=240) for each in writers] == [0] * PROCESSES

    files = list((programs.home / "log").glob("alerts.log*"))
    found = Counter(line for file in files for line in file.read_text(encoding="utf-8").splitlines())
    wanted = Counter(
        f"{number} {line} заказ {'x' * (line % 50)}" for number in range(PROCESSES) for line in range(LINES)
    )
    assert len(files) > 30
    assert found == wanted
