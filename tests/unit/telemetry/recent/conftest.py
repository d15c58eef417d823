"""A process that keeps what it does, without threads: a tracer, a logger, and a writer whose steps a test calls."""

import logging
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider

from telemetry.logs.background.queued_handler import QueuedHandler
from telemetry.recent.database import RecentDatabase
from telemetry.recent.drops import Drops
from telemetry.recent.keeping.log_intake import LogIntake
from telemetry.recent.keeping.recent_writer import RecentWriter
from telemetry.recent.keeping.span_intake import SpanIntake
from telemetry.recent.log_queries import LogQueries
from telemetry.recent.trace_queries import TraceQueries


class Machine:
    """`clock` is that of the writer: a test moves it."""

    def __init__(self, path):
        self.now = time.monotonic()
        self.database = RecentDatabase(path)
        self.drops = Drops()
        self.writer = RecentWriter(self.database, self.drops, lambda: self.now)
        self.traces, self.logs = TraceQueries(self.database), LogQueries(self.database)
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SpanIntake(self.writer.queue))
        self.tracer = self.provider.get_tracer("test")
        self.log = logging.getLogger("shop.orders")
        self.log.handlers = [QueuedHandler(LogIntake(self.writer.queue))]
        self.log.setLevel(logging.DEBUG)
        self.log.propagate = False  # a lone surrogate in its report ends a worker of the tests

    def span(self, name="work", **attributes):
        return self.tracer.start_as_current_span(name, attributes=attributes)

    def write(self):
        self.now += 1
        self.writer.step()

    def kept(self):
        self.write()
        return {each.name: each.kept_as for each in self.traces.search()}

    def messages(self):
        self.write()
        return [line.message for line in reversed(self.logs.search())]

    def close(self):
        self.writer.shutdown(1)
        self.log.handlers = []
        self.log.setLevel(logging.NOTSET)
        self.log.propagate = True
        self.database.close()


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path / "recent.db")
    yield made
    made.close()
