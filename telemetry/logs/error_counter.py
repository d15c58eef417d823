"""Counts log records at ERROR and above by exception and component."""

import re
from typing import Final, TypeAlias

from opentelemetry.metrics import Counter
from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_TYPE

from telemetry import semconv
from telemetry.compatibility.unstable_api import LogRecordProcessor, ReadWriteLogRecord, SeverityNumber
from telemetry.failsafe import failsafe

LabelPair: TypeAlias = tuple[str, str]

NO_EXCEPTION: Final = "log"
"""Label of an error that was logged without an exception."""
MAX_PAIRS: Final = 200
_LABEL: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class ErrorCounter(LogRecordProcessor):
    """Has at most `MAX_PAIRS` pairs of exception and component; the others are counted as `other`."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._pairs: set[LabelPair] = set()

    @failsafe
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        severity = log_record.log_record.severity_number
        if severity is None or severity.value < SeverityNumber.ERROR.value:
            return
        error_type, component = self._bounded((_error_type(log_record), _component(log_record)))
        self._counter.add(1, {semconv.ERROR_TYPE: error_type, semconv.COMPONENT: component})

    def _bounded(self, pair: LabelPair) -> LabelPair:
        if pair not in self._pairs:
            if len(self._pairs) >= MAX_PAIRS:
                return semconv.OTHER, semconv.OTHER
            self._pairs.add(pair)
        return pair

    def shutdown(self) -> None:
        """Nothing to do: the counter belongs to its meter."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002
        return True


def _error_type(record: ReadWriteLogRecord) -> str:
    return _label((record.log_record.attributes or {}).get(EXCEPTION_TYPE, NO_EXCEPTION))


def _component(record: ReadWriteLogRecord) -> str:
    """The component of the record (`extra={"component": …}`), else the package that logged it."""
    scope = record.instrumentation_scope.name if record.instrumentation_scope else semconv.OTHER
    return _label((record.log_record.attributes or {}).get(semconv.COMPONENT, scope.partition(".")[0]))


def _label(value: object) -> str:
    return value if isinstance(value, str) and _LABEL.fullmatch(value) else semconv.OTHER
