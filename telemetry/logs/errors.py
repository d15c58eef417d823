"""Errors: each that is logged is counted, once, whoever logs it, and the telemetry's own troubles are not fed back to it."""

import logging
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from opentelemetry._logs import SeverityNumber
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.metrics import Counter
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_TYPE

from telemetry import names
from telemetry.harmless import harmless

Pair: TypeAlias = tuple[str, str]
NO_EXCEPTION: Final = "log"
PAIRS: Final = 200
_LABEL: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MARK: Final = "_telemetry_reported"
# OpenTelemetry's own loggers, and those of what its exporters and our files write through.
_OWN: Final = ("opentelemetry", "urllib3", "requests", "grpc", "concurrent_log_handler")


class ErrorCounter(LogRecordProcessor):
    """Counts records at ERROR and above by exception and component, of which it tells 200 pairs apart."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._pairs: set[Pair] = set()

    @harmless
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        severity = log_record.log_record.severity_number
        if severity is None or severity.value < SeverityNumber.ERROR.value:
            return
        error_type, component = self._bounded((_error_type(log_record), _component(log_record)))
        self._counter.add(1, {names.ERROR_TYPE: error_type, names.COMPONENT: component})

    def _bounded(self, pair: Pair) -> Pair:
        if pair not in self._pairs:
            if len(self._pairs) >= PAIRS:
                return names.OTHER, names.OTHER
            self._pairs.add(pair)
        return pair

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        return True


def _error_type(record: ReadWriteLogRecord) -> str:
    return _label((record.log_record.attributes or {}).get(EXCEPTION_TYPE, NO_EXCEPTION))


def _component(record: ReadWriteLogRecord) -> str:
    """What the record says by `extra={"component": …}`, else the package that logged it."""
    scope = record.instrumentation_scope.name if record.instrumentation_scope else names.OTHER
    return _label((record.log_record.attributes or {}).get(names.COMPONENT, scope.partition(".")[0]))


def _label(value: object) -> str:
    return value if isinstance(value, str) and _LABEL.fullmatch(value) else names.OTHER


def mark_reported(error: BaseException) -> None:
    """Say that this exception has been logged, with all that there is to say: see `OnceFilter`."""
    vars(error)[_MARK] = True


class OnceFilter(logging.Filter):
    """On the logger of a server, which logs every exception that reaches it: drops those that were reported before."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return error is None or not any(_MARK in vars(each) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what it came from, and what it is a group of, to any depth."""
    waiting, seen = [error], {id(error)}
    while waiting:
        yield (each := waiting.pop())
        related = [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            related += each.exceptions
        fresh = [other for other in related if other is not None and id(other) not in seen]
        seen.update(map(id, fresh))
        waiting += fresh


class NoFeedback(logging.Filter):
    """On the handler that feeds OpenTelemetry: drops what the exporting of telemetry logs, which would be exported again."""

    def filter(self, record: logging.LogRecord) -> bool:
        return is_instrumentation_enabled() and record.name.partition(".")[0] not in _OWN
