import logging
import logging.config

import pytest

from telemetry.alerts.service import AlertService
from telemetry.logs.background import handler_guard
from telemetry.logs.background.log_writer import LogWriter
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.handlers import FailsafeHandler


class Kept(FailsafeHandler, logging.Handler):
    def __init__(self):
        logging.Handler.__init__(self)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def guarded(kept, monkeypatch):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setattr("telemetry.logs.background.handler_guard._guarded", handler_guard._Guarded())
    handler = QueuedHandler(LogWriter("test", [kept]))
    root.handlers = [handler, *before]
    handler_guard.guard(handler)
    yield handler
    handler_guard.release()
    root.handlers = before
    root.setLevel(level)
    for name in ("telemetry.alerts.service", "shop", "telemetry.logs.background.handler_guard"):
        logging.getLogger(name).disabled = False
    handler.close()


def said(kept):
    return [message for message in kept.messages if "configured anew" in message]


FILE = """
[loggers]
keys=root
[handlers]
keys=
[formatters]
keys=
[logger_root]
level=WARNING
handlers=
"""


def file_config(tmp_path):
    (tmp_path / "logging.ini").write_text(FILE, encoding="utf-8")
    logging.config.fileConfig(tmp_path / "logging.ini")


CHANGES = {
    "dictConfig": lambda _path: logging.config.dictConfig({"version": 1}),
    "dictConfig of the root": lambda _path: logging.config.dictConfig(
        {"version": 1, "root": {"handlers": [], "level": "WARNING"}}
    ),
    "dictConfig that keeps loggers": lambda _path: logging.config.dictConfig(
        {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}
    ),
    "fileConfig": file_config,
    "basicConfig": lambda _path: logging.basicConfig(force=True, handlers=[logging.NullHandler()]),
    "cleared": lambda _path: logging.getLogger().handlers.clear(),
    "replaced": lambda _path: setattr(logging.getLogger(), "handlers", []),
    "removed": lambda _path: [logging.getLogger().removeHandler(each) for each in list(logging.getLogger().handlers)],
    "disabled ours": lambda _path: setattr(logging.getLogger("telemetry.alerts.service"), "disabled", True),
    "shut down": lambda _path: logging.shutdown(),
}


@pytest.mark.parametrize("how", CHANGES)
def test_what_other_code_does_to_logging_is_put_right_and_said_once(guarded, kept, tmp_path, how):
    log = logging.getLogger("shop")
    for _ in range(2):
        CHANGES[how](tmp_path)
        handler_guard.restore()

    log.error("stock is negative")

    assert "stock is negative" in kept.messages
    assert logging.getLogger().handlers.count(guarded) == 1
    assert not guarded.always_waits
    assert len(said(kept)) == 1


@pytest.mark.parametrize("how", CHANGES)
def test_an_alert_does_not_wait_for_that(guarded, kept, tmp_path, how):
    CHANGES[how](tmp_path)

    AlertService().report("stock is negative")

    assert "stock is negative" in kept.messages


def test_a_logger_that_is_disabled_alone_stays_so(guarded, kept):
    logging.getLogger("shop").disabled = True
    handler_guard.restore()
    logging.config.dictConfig({"version": 1})
    handler_guard.restore()

    logging.getLogger("shop").error("of no interest")

    assert "of no interest" not in kept.messages


def test_nothing_is_restored_at_the_end(guarded):
    handler_guard.release()
    logging.getLogger().handlers.clear()

    handler_guard.restore()

    assert logging.getLogger().handlers == []
