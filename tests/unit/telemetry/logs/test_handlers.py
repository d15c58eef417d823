import io
import logging
import sys

import pytest

from telemetry.logs.handlers import ConsoleHandler
from telemetry.logs.rotating_file import RotatingFileHandler


@pytest.fixture
def log() -> logging.Logger:
    """Logs to the console only: pytest's handlers raise what a record's arguments raise."""
    logger = logging.Logger("shop.orders")  # noqa: LOG001  # the root's handlers do not get its records
    logger.addHandler(ConsoleHandler(logging.INFO))
    return logger


def test_arguments_that_do_not_fit_are_one_readable_line(log, capsys):
    log.error("%d orders of %s", "many")  # noqa: PLE1206  # the mistake itself

    (line,) = capsys.readouterr().err.splitlines()
    assert " - shop.orders - ERROR - '%d orders of %s' does not fit ('many',) (TypeError, logged at " in line
    assert "test_handlers.py:" in line


def test_what_one_handler_made_readable_is_readable_for_the_next(log, tmp_path, capsys):
    file = RotatingFileHandler(tmp_path / "alerts.log", logging.INFO)
    log.addHandler(file)

    log.error("%d orders", "many")
    file.close()

    assert (tmp_path / "alerts.log").read_text().rstrip() in capsys.readouterr().err


class Mute:
    def __repr__(self):
        raise RuntimeError


def test_an_object_that_cannot_be_printed_does_not_disturb_the_code_that_logs_it(log, capsys):
    log.error(Mute())
    log.error("%s", Mute())

    first, second = capsys.readouterr().err.splitlines()
    assert "<Mute> does not fit ()" in first
    assert "'%s' does not fit <tuple> (RuntimeError" in second


@pytest.mark.parametrize("stderr", [io.StringIO(), None], ids=["closed", "none"])
def test_a_stderr_that_is_gone_does_not_disturb_the_code_that_logs(log, monkeypatch, stderr):
    if stderr:
        stderr.close()
    monkeypatch.setattr(sys, "stderr", stderr)

    log.error("unheard")

    assert log.handlers[0].is_failing


class Broken(ConsoleHandler):
    """Fails to format with an error that cannot be printed."""

    def format(self, record):
        raise Unspeakable


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError


def test_a_failure_that_cannot_be_printed_does_not_disturb_the_code_that_logs(log):
    log.handlers = [Broken(logging.INFO)]

    log.error("unheard")

    assert log.handlers[0].is_failing


def test_the_console_writes_to_what_stderr_is_at_the_moment(log, monkeypatch):
    elsewhere = io.StringIO()

    monkeypatch.setattr(sys, "stderr", elsewhere)
    log.error("here")

    assert elsewhere.getvalue().endswith("here\n")
