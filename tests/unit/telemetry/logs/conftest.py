"""Fixtures for logging. What a test does to the process's loggers is undone afterwards."""

import copy
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from uvicorn.config import LOGGING_CONFIG

from telemetry import semconv
from telemetry.instruments import Instruments
from telemetry.logs import library_loggers
from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.logs.error_counter import ErrorCounter
from telemetry.logs.otel_handler import OTelHandler
from telemetry.logs.setup import setup_logging
from telemetry.settings import TelemetrySettings

SetUp = Callable[..., None]


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def set_up(log_dir: Path) -> Iterator[SetUp]:
    """Set logging up, by default in the test's own directory."""
    ours = ("alembic", "alembic.runtime.migration", "alembic.runtime.plugins")
    touched = [logging.getLogger(name) for name in (None, *library_loggers._REROUTED, *library_loggers._VERBOSE, *ours)]
    before = [(logger, logger.level, logger.propagate, logger.handlers[:], logger.filters[:]) for logger in touched]
    defaults = copy.deepcopy(LOGGING_CONFIG["loggers"])
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, QueuedHandler)]
    yield lambda **settings: setup_logging(TelemetrySettings(**{"log_dir": log_dir, **settings}))
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueuedHandler):
            handler.close()
    for logger, level, propagate, handlers, filters in before:
        logger.setLevel(level)
        logger.propagate, logger.handlers, logger.filters = propagate, handlers, filters
    LOGGING_CONFIG["loggers"] = defaults
    logging.captureWarnings(capture=False)


class CountedErrors:
    """Loggers whose records go through OpenTelemetry into the error counter, as in the service."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        instruments = Instruments.create(MeterProvider([self._reader], shutdown_on_exit=False).get_meter("tests"))
        self.counter = ErrorCounter(instruments.errors)
        self._provider = LoggerProvider(shutdown_on_exit=False)
        self._provider.add_log_record_processor(self.counter)
        self.handler = OTelHandler(logging.NOTSET, self._provider)

    def logger(self, name: str) -> logging.Logger:
        logger = logging.Logger(name)  # noqa: LOG001  # not a global one: the root's handlers do not get its records
        logger.addHandler(self.handler)
        return logger

    def counted(self) -> dict[tuple[str, str], int]:
        data = self._reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        points = [point for metric in metrics if metric.name == semconv.ERRORS for point in metric.data.data_points]
        return {(point.attributes["error.type"], point.attributes["component"]): point.value for point in points}


@pytest.fixture
def errors() -> CountedErrors:
    return CountedErrors()
