"""A stage for logging: what a test does to the process's loggers is undone behind it."""

import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from uvicorn.config import LOGGING_CONFIG

from telemetry.logs import library_loggers
from telemetry.logs.handlers import ConsoleHandler
from telemetry.logs.rotating_file import RotatingFileHandler
from telemetry.logs.setup import setup_logging
from telemetry.settings import TelemetrySettings

SetUp = Callable[..., None]


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def set_up(log_dir: Path) -> Iterator[SetUp]:
    """Set the logging up, by default into the test's own directory."""
    ours = ("alembic", "alembic.runtime.migration", "alembic.runtime.plugins")
    touched = [logging.getLogger(name) for name in (None, *library_loggers._REROUTED, *library_loggers._VERBOSE, *ours)]
    before = [(logger, logger.level, logger.propagate, logger.handlers[:], logger.filters[:]) for logger in touched]
    defaults = copy.deepcopy(LOGGING_CONFIG["loggers"])
    root = logging.getLogger()
    root.handlers = [
        handler for handler in root.handlers if not isinstance(handler, ConsoleHandler | RotatingFileHandler)
    ]
    yield lambda **settings: setup_logging(TelemetrySettings(**{"log_dir": log_dir, **settings}))
    for handler in logging.getLogger().handlers:
        if isinstance(handler, ConsoleHandler | RotatingFileHandler):
            handler.close()
    for logger, level, propagate, handlers, filters in before:
        logger.setLevel(level)
        logger.propagate, logger.handlers, logger.filters = propagate, handlers, filters
    LOGGING_CONFIG["loggers"] = defaults
    logging.captureWarnings(capture=False)
