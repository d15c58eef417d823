"""Queries of every SQLAlchemy engine, by OpenTelemetry's semantic conventions for databases.

The published package makes a span of each query and no duration, its span says less than the conventions ask for, and it listens
to each engine by itself: two times to an async one, and not at all to one that an earlier import made. Here one listener to the
class describes a query once, when it begins, for `db.client.operation.duration` and for the span.
"""

from collections.abc import Collection, Mapping
from time import perf_counter
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from telemetry import semconv
from telemetry.compatibility.instrumentation import BaseInstrumentor
from telemetry.database.engines import UNTRACED
from telemetry.failsafe import failsafe
from telemetry.instrumentation.database_target import DatabaseTarget, status_code
from telemetry.instrumentation.sql_statement import SqlStatement, describe_statement

_QUERY: Final = "_telemetry_query"
_TARGET: Final = "telemetry.database_target"


class _Query:
    """One query, from before it is sent until its result or its error is there."""

    __slots__ = ("batch_size", "metric_attributes", "span", "started", "statement", "text")

    def __init__(self, target: DatabaseTarget, text: str, batch_size: int) -> None:
        self.text = text
        self.statement: SqlStatement = describe_statement(text)
        self.batch_size = batch_size
        self.metric_attributes = target.metric_attributes(_batched(self.statement.operation, batch_size))
        self.span: Span | None = None
        self.started = perf_counter()

    @failsafe
    def start_span(self, tracer: Tracer) -> None:
        """Start the span with all its attributes: a sampler sees them."""
        name = _batched(self.statement.summary, self.batch_size) or str(self.metric_attributes[semconv.DB_SYSTEM])
        span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=self._span_attributes())
        if span.is_recording():
            self.span = span
        self.started = perf_counter()

    def _span_attributes(self) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {**self.metric_attributes, semconv.DB_QUERY_TEXT: self.text}
        if self.statement.summary:
            attributes[semconv.DB_QUERY_SUMMARY] = _batched(self.statement.summary, self.batch_size)
        if self.statement.table:
            attributes[semconv.DB_COLLECTION] = self.statement.table
        if self.batch_size:
            attributes[semconv.DB_BATCH_SIZE] = self.batch_size
        return attributes

    def end(self, duration: Histogram | None, attributes: Mapping[str, str | int]) -> None:
        """Record the duration, unless the instrumentation was switched off in the meantime, and end the span."""
        seconds = perf_counter() - self.started
        if duration is not None:
            duration.record(seconds, attributes)
        if self.span is not None:
            self.span.end()

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


class QueryDurationInstrumentor(BaseInstrumentor):
    """Listens to all engines of the process, those that exist already included. Its listeners run before those of an engine.

    With a `tracer` it makes the spans of the queries, too. Without one they are left to the published package.
    """

    _duration: Histogram | None = None
    _tracer: Tracer | None = None
    _listens = False

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("sqlalchemy >= 2.0",)

    def _instrument(self, **kwargs: Any) -> None:
        duration: Histogram | None = kwargs.get("duration")
        self._tracer = kwargs.get("tracer")
        if duration is None:
            meter = metrics.get_meter(__name__, schema_url=semconv.SCHEMA_URL)
            duration = meter.create_histogram(semconv.DB_OPERATION_DURATION, unit="s")
        self._duration = duration
        self._listen()

    def _uninstrument(self, **_kwargs: Any) -> None:
        self._duration = self._tracer = None

    def _listen(self) -> None:
        """Once for the life of the process: a query raises if a listener comes or goes while another thread runs it."""
        if self._listens:
            return
        self._listens = True
        for name, listener in (
            ("before_cursor_execute", self._before),
            ("after_cursor_execute", self._after),
            ("handle_error", self._failed),
        ):
            event.listen(Engine, name, listener)

    @failsafe
    def _before(self, connection: Connection, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        context, executemany = rest
        if self._duration is None or not is_instrumentation_enabled():
            return
        info = connection.info
        if (target := info.get(_TARGET)) is None:
            target = info[_TARGET] = DatabaseTarget.of_connection(connection, cursor)
        size = len(parameters) if executemany else 0
        query = _Query(target, statement, size if size > 1 else 0)
        if self._tracer is not None and UNTRACED not in connection.engine.get_execution_options():
            query.start_span(self._tracer)
        setattr(context, _QUERY, query)

    @failsafe
    def _after(self, _connection: Connection, _cursor: Any, _statement: str, _parameters: Any, *rest: Any) -> None:
        context, _executemany = rest
        if query := _taken(context):
            query.end(self._duration, query.metric_attributes)

    @failsafe
    def _failed(self, context: ExceptionContext) -> None:
        if query := _taken(context.execution_context):
            query.end(self._duration, query.failed_attributes(context.original_exception))


def _taken(context: Any) -> _Query | None:
    """The query of an execution, once: it may fail after its end."""
    query: _Query | None = getattr(context, _QUERY, None)
    if query is not None:
        setattr(context, _QUERY, None)
    return query
