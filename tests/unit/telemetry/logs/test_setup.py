import json
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from telemetry.logs import setup_logging
from tests.support.processes import ROOT

log = logging.getLogger("shop.orders")


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


class ForeignHandler(logging.Handler):
    def emit(self, record):
        """A handler of others on the root logger."""


def test_the_console_says_time_logger_level_and_message(set_up, capsys):
    set_up()

    log.info("42 orders")

    said = capsys.readouterr().err
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - shop\.orders - INFO - 42 orders\n", said)


def test_the_console_shows_debug_only_when_it_is_asked_for(set_up, capsys):
    set_up()
    log.debug("hidden")
    set_up(log_level="DEBUG")
    log.debug("shown")

    said = capsys.readouterr().err

    assert "hidden" not in said
    assert "shop.orders - DEBUG - shown" in said


def test_a_warning_is_kept_in_alerts_log_and_an_info_is_not(set_up, log_dir):
    set_up()

    log.info("fine")
    log.warning("the token expires tomorrow")

    assert [line.split(" - ", 1)[1] for line in lines(log_dir / "alerts.log")] == [
        "shop.orders - WARNING - the token expires tomorrow"
    ]


def test_everything_is_kept_as_json_only_when_that_is_asked_for(set_up, log_dir):
    set_up()
    log.info("first")
    set_up(enable_json_logging=True)
    log.info("second")

    assert [json.loads(line)["message"] for line in lines(log_dir / "app.jsonl")] == ["second"]


def test_setting_up_twice_says_everything_once_and_leaves_other_handlers_alone(set_up, log_dir, capsys):
    root, foreign = logging.getLogger(), ForeignHandler()
    root.addHandler(foreign)

    set_up(enable_json_logging=True)
    set_up(enable_json_logging=True)
    log.warning("once")

    assert capsys.readouterr().err.count("once") == 1
    assert len(lines(log_dir / "alerts.log")) == 1
    assert len(lines(log_dir / "app.jsonl")) == 1
    assert foreign in root.handlers


def test_without_settings_those_of_the_environment_count(set_up, monkeypatch, tmp_path):
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "elsewhere"))

    setup_logging()
    log.warning("here")

    assert len(lines(tmp_path / "elsewhere" / "alerts.log")) == 1


def test_a_python_warning_is_kept_as_well(set_up, log_dir):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up()
        warnings.warn("this goes away in 2.0", DeprecationWarning, stacklevel=1)

    assert "py.warnings - WARNING" in lines(log_dir / "alerts.log")[0]
    assert "this goes away in 2.0" in lines(log_dir / "alerts.log")[0]


def test_a_directory_that_cannot_be_written_is_one_warning_and_the_console_goes_on(set_up, tmp_path, capsys):
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    set_up(log_dir=in_the_way / "log", enable_json_logging=True)
    log.error("the first")
    set_up(log_dir=in_the_way / "log", enable_json_logging=True)
    log.error("the second")

    warning, first, second = capsys.readouterr().err.splitlines()
    assert f"WARNING - LOG_DIR {in_the_way / 'log'} cannot be written (Not a directory)" in warning
    assert first.endswith("the first")
    assert second.endswith("the second")


def test_a_directory_that_can_be_written_again_is_written_again(set_up, tmp_path):
    directory = tmp_path / "file"
    directory.touch()
    set_up(log_dir=directory)
    log.error("lost")

    directory.unlink()
    directory.mkdir()
    log.error("kept")

    assert [line.rpartition(" - ")[2] for line in lines(directory / "alerts.log")] == ["kept"]


FULL_DISK = """
import logging, resource
from telemetry.logs import setup_logging
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # from here on no file takes a byte
setup_logging()
logging.error("one")
logging.error("two")
"""


def test_a_disk_that_is_full_at_the_start_is_one_warning(log_dir):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK],
        env={**os.environ, "LOG_DIR": str(log_dir), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=True,
    )

    warning, *rest = done.stderr.splitlines()
    assert f"LOG_DIR {log_dir} cannot be written (File too large)" in warning
    assert [line.rpartition(" - ")[2] for line in rest] == ["one", "two"]


def test_a_disk_that_fills_up_is_said_once_until_it_is_well_again(set_up, log_dir, capsys):
    log_dir.mkdir()
    (log_dir / "alerts.log").symlink_to("/dev/full")
    set_up()

    log.error("one")
    log.error("two")
    (log_dir / "alerts.log").unlink()
    log.error("three")
    said = capsys.readouterr().err.splitlines()

    assert sum("cannot be written" in line for line in said) == 1
    assert f"{log_dir / 'alerts.log'} cannot be written ([Errno 28] No space left on device)" in "".join(said)
    assert [line.rpartition(" - ")[2] for line in lines(log_dir / "alerts.log")] == ["three"]


@pytest.mark.parametrize("name", ["httpx", "httpx2", "httpcore.connection", "httpcore2.http11"])
def test_http_clients_do_not_log_the_urls_that_they_call_unless_debugging(set_up, capsys, name):
    set_up()
    logging.getLogger(name).info("GET https://api.telegram.org/bot123:secret/getMe")
    set_up(log_level="DEBUG")
    logging.getLogger(name).info("debugging")

    said = capsys.readouterr().err

    assert "secret" not in said
    assert "debugging" in said
