import logging
import stat
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from telemetry.logs.rotating_file import RotatingFileHandler, is_rotated, require_writable
from tests.support.processes import ROOT

PROCESSES, LINES, SIZE = 3, 800, 20_000
WRITER = f"""
import logging, sys
from pathlib import Path
from telemetry.logs.rotating_file import RotatingFileHandler
log = logging.getLogger("writer")
log.setLevel(logging.INFO)
log.addHandler(RotatingFileHandler(Path(sys.argv[1]), logging.INFO, max_bytes={SIZE}))
print("ready", flush=True)
sys.stdin.readline()
for line in range({LINES}):
    log.info("%s %s заказ %s", sys.argv[2], line, "x" * (line % 50))
"""


@pytest.fixture
def writers(tmp_path):
    """Processes that are ready to write, and gone behind the test."""
    with ExitStack() as stack:
        yield [stack.enter_context(_writer(tmp_path / "alerts.log", name)) for name in range(PROCESSES)]


@contextmanager
def _writer(file: Path, name: int):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, file, str(name)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.e2e
def test_several_processes_write_and_rotate_one_file_and_every_line_is_there_once_and_whole(tmp_path, writers):
    ready = [writer.stdout.readline() for writer in writers]
    for writer in writers:
        writer.stdin.write("all at once\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=50)

    logs = list(tmp_path.glob("alerts.log*"))
    found = Counter(line for log in logs for line in log.read_text(encoding="utf-8").splitlines())
    assert ready == ["ready\n"] * PROCESSES
    assert [writer.returncode for writer in writers] == [0] * PROCESSES
    assert len(logs) >= 4
    assert found == Counter(
        f"{name} {line} заказ {'x' * (line % 50)}" for name in range(PROCESSES) for line in range(LINES)
    )


def test_five_rotated_files_are_kept(tmp_path):
    file = RotatingFileHandler(tmp_path / "alerts.log", logging.INFO, max_bytes=10)

    for number in range(20):
        file.emit(logging.makeLogRecord({"msg": f"line number {number}"}))
    file.close()

    names = sorted(path.name for path in tmp_path.glob("alerts*"))
    assert names == ["alerts.log", *(f"alerts.log.{number}" for number in range(1, 6))]
    assert all(is_rotated(name, "shop") for name in names[1:])


def test_only_the_owner_may_read_a_log_or_hold_its_lock(tmp_path):
    file = RotatingFileHandler(tmp_path / "alerts.log", logging.INFO)

    file.emit(logging.makeLogRecord({"msg": "line"}))
    file.close()

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"alerts.log": 0o600, ".__alerts.lock": 0o600}


def test_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path):
    file = RotatingFileHandler(tmp_path / "alerts.log", logging.INFO)

    file.emit(logging.makeLogRecord({"msg": "half of a pair: \ud83d"}))
    file.close()

    assert (tmp_path / "alerts.log").read_text(encoding="utf-8") == "half of a pair: ?\n"


@pytest.mark.parametrize("name", ["alerts.log.1", "shop.jsonl.5", "alerts.log.12.gz", "alerts.log.rotate.01234567"])
def test_names_of_rotated_files_are_known(name):
    assert is_rotated(name, "shop")


@pytest.mark.parametrize(
    "name",
    [
        "alerts.log",
        "shop.jsonl",
        ".__alerts.lock",
        "alerts.log.old",
        "my-alerts.log.1",
        "alerts.log.1.txt",
        "alertsXlog.1",
    ],
)
def test_names_of_other_files_and_of_those_in_use_are_not(name):
    assert not is_rotated(name, "shop")


def test_a_log_that_cannot_be_written_is_noticed_before_the_first_line(tmp_path):
    (tmp_path / "alerts.log").mkdir()

    with pytest.raises(IsADirectoryError):
        require_writable(tmp_path, "shop")
