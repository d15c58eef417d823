"""Queries of every SQLAlchemy engine, by OpenTelemetry's semantic conventions for databases.

The published package makes a span of each query and no duration, and its span says less than the conventions ask for: it is
called `SELECT` and the file's path. Here a query is described once, when it begins. `QueryDurationInstrumentor` records
`db.client.operation.duration` with the description; `QueryTracer`, the tracer of the published package, gives it to the span.
"""

import threading
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import Histogram
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Span, SpanKind, Status, StatusCode, Tracer
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from telemetry import semconv
from telemetry.compatibility.instrumentation import BaseInstrumentor
from telemetry.failsafe import failsafe
from telemetry.instrumentation.database_target import DatabaseTarget, status_code
from telemetry.instrumentation.sql_statement import SqlStatement, describe_statement

_QUERY: Final = "telemetry.query"
_TARGET: Final = "telemetry.database_target"
_CONNECT: Final = "connect"
_beginning = threading.local()
"""`query`: the query for which the published package starts a span next, in this thread."""


class _Query:
    """One query, from before it is sent until its result or its error is there."""

    __slots__ = ("batch_size", "metric_attributes", "span", "started", "statement", "target", "text")

    def __init__(self, target: DatabaseTarget, text: str, batch_size: int) -> None:
        self.target = target
        self.text = text
        self.statement: SqlStatement = describe_statement(text)
        self.batch_size = batch_size
        self.metric_attributes = target.metric_attributes(_batched(self.statement.operation, batch_size))
        self.span: Span | None = None
        self.started = perf_counter()

    @failsafe
    def start_span(self, tracer: Tracer, name: str) -> Span:
        """Start the span with all its attributes: a sampler sees them."""
        span = tracer.start_span(
            _batched(self.statement.summary, self.batch_size) or name,
            kind=SpanKind.CLIENT,
            attributes=self._span_attributes(),
        )
        if not span.is_recording():
            return span
        self.span = span
        return _DescribedSpan(span)

    def _span_attributes(self) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {**self.metric_attributes, semconv.DB_QUERY_TEXT: self.text}
        if self.statement.summary:
            attributes[semconv.DB_QUERY_SUMMARY] = _batched(self.statement.summary, self.batch_size)
        if self.statement.table:
            attributes[semconv.DB_COLLECTION] = self.statement.table
        if self.batch_size:
            attributes[semconv.DB_BATCH_SIZE] = self.batch_size
        return attributes

    def seconds(self) -> float:
        return perf_counter() - self.started

    def failed_attributes(self, error: BaseException) -> Mapping[str, str | int]:
        """The attributes of the metric, with the error; the span gets the error as well."""
        failure = {semconv.ERROR_TYPE: type(error).__name__}
        if code := status_code(error):
            failure[semconv.DB_STATUS_CODE] = code
        if self.span is not None:
            self.span.set_attributes(failure)
            self.span.set_status(Status(StatusCode.ERROR, str(error)))
        return {**self.metric_attributes, **failure}


def _batched(name: str | None, batch_size: int) -> str:
    return f"BATCH {name}" if name and batch_size else name or ""


class _DescribedSpan(NonRecordingSpan):
    """What the published package gets instead of a recording span: it would overwrite the description with its own."""

    def __init__(self, span: Span) -> None:
        super().__init__(span.get_span_context())
        self._span = span

    def end(self, end_time: int | None = None) -> None:
        self._span.end(end_time)


class QueryTracer(Tracer):
    """The tracer of the published package: its spans of queries get the description of `QueryDurationInstrumentor`.

    `with_connects` lets it make its spans `connect`, too: one each time that a connection is taken from the pool.
    """

    def __init__(self, inner: Tracer, *, with_connects: bool) -> None:
        self._inner = inner
        self._with_connects = with_connects

    def start_span(self, name: str, *args: Any, **kwargs: Any) -> Span:
        query: _Query | None = vars(_beginning).pop("query", None)
        if query is None:
            return self._inner.start_span(name, *args, **kwargs)
        return query.start_span(self._inner, name) or INVALID_SPAN

    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if name == _CONNECT and not self._with_connects:
            return _no_span()
        return self._inner.start_as_current_span(name, *args, **kwargs)


def _no_span() -> AbstractContextManager[Span]:
    return nullcontext(INVALID_SPAN)


class QueryDurationInstrumentor(BaseInstrumentor):
    """Listens to all engines of the process, those that exist already included. Its listeners run before those of an engine."""

    _duration: Histogram

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("sqlalchemy >= 2.0",)

    def _instrument(self, **kwargs: Any) -> None:
        duration: Histogram | None = kwargs.get("duration")
        if duration is None:
            meter = metrics.get_meter(__name__, schema_url=semconv.SCHEMA_URL)
            duration = meter.create_histogram(semconv.DB_OPERATION_DURATION, unit="s")
        self._duration = duration
        for name, listener in self._listeners():
            event.listen(Engine, name, listener)

    def _uninstrument(self, **_kwargs: Any) -> None:
        for name, listener in self._listeners():
            event.remove(Engine, name, listener)

    def _listeners(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
            ("handle_error", self._failed),
        )

    @failsafe
    def _before(  # SQLAlchemy's signature
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        _context: Any,
        executemany: bool,  # noqa: FBT001  # likewise
    ) -> None:
        if not is_instrumentation_enabled():
            return
        info = connection.info
        if (target := info.get(_TARGET)) is None:
            target = info[_TARGET] = DatabaseTarget.of_connection(connection, cursor)
        size = len(parameters) if executemany else 0
        info[_QUERY] = _beginning.query = _Query(target, statement, size if size > 1 else 0)

    @failsafe
    def _after(self, connection: Connection, *_arguments: Any) -> None:
        if query := connection.info.pop(_QUERY, None):
            self._duration.record(query.seconds(), query.metric_attributes)

    @failsafe
    def _failed(self, context: ExceptionContext) -> None:
        if context.connection is None or context.statement is None:
            return
        if query := context.connection.info.pop(_QUERY, None):
            self._duration.record(query.seconds(), query.failed_attributes(context.original_exception))
