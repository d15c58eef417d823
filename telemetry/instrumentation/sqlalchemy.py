"""Query durations of every SQLAlchemy engine, `db.client.operation.duration`: the published package does not emit them."""

import re
from collections.abc import Collection
from functools import lru_cache
from time import perf_counter
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.metrics import Histogram
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from telemetry import semconv
from telemetry.compatibility.instrumentation import BaseInstrumentor
from telemetry.failsafe import failsafe

_STARTED: Final = "telemetry.query_started"
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|--[^\n]*+", re.DOTALL)
_VERB: Final = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_FIRST_WORD: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_KNOWN: Final = frozenset({"select", "insert", "update", "delete"})
_SYSTEMS: Final = {"postgresql": "postgresql", "sqlite": "sqlite"}


@lru_cache(maxsize=1024)
def operation(statement: str) -> str:
    """The operation of a statement: `select`, `insert`, `update`, `delete` or `other`; after WITH that of the main statement."""
    text = _COMMENT.sub(" ", statement[:10_000])
    first = _FIRST_WORD.match(text)
    word = first[1].lower() if first else ""
    if word == "with":
        verb = _VERB.search(_without_parentheses(text))
        word = verb[1].lower() if verb else "select"
    return word if word in _KNOWN else semconv.OTHER


def _without_parentheses(text: str) -> str:
    depth, outside = 0, []
    for character in text:
        depth += (character == "(") - (character == ")")
        outside.append(character if depth == 0 else " ")
    return "".join(outside)


class QueryDurationInstrumentor(BaseInstrumentor):
    """Listens to all engines of the process, those that exist already included."""

    _duration: Histogram

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("sqlalchemy >= 2.0",)

    def _instrument(self, **kwargs: Any) -> None:
        meter = metrics.get_meter(__name__)
        self._duration = kwargs.get("duration") or meter.create_histogram(semconv.DB_OPERATION_DURATION, unit="s")
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

    def _before(self, connection: Connection, *_arguments: Any) -> None:
        connection.info[_STARTED] = perf_counter()

    @failsafe
    def _after(self, connection: Connection, _cursor: Any, statement: str, *_arguments: Any) -> None:
        self._record(connection, statement, None)

    @failsafe
    def _failed(self, context: ExceptionContext) -> None:
        if context.connection is not None and context.statement is not None:
            self._record(context.connection, context.statement, type(context.original_exception).__name__)

    def _record(self, connection: Connection, statement: str, error: str | None) -> None:
        started = connection.info.pop(_STARTED, None)
        if started is None:
            return
        attributes = {
            semconv.DB_SYSTEM: _SYSTEMS.get(connection.dialect.name, semconv.OTHER),
            semconv.DB_OPERATION: operation(statement),
        }
        if error is not None:
            attributes[semconv.ERROR_TYPE] = error
        self._duration.record(perf_counter() - started, attributes)
