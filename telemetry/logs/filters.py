"""Errors: each that is logged is counted, once, whoever logs it, and the telemetry's own troubles are not fed back to it."""

import logging
from collections.abc import Iterator
from typing import Final

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

_MARK: Final = "_telemetry_reported"
# OpenTelemetry's own loggers, and those of what its exporters and our files write through.
_OWN: Final = ("opentelemetry", "urllib3", "requests", "grpc", "concurrent_log_handler")


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


class FeedbackFilter(logging.Filter):
    """On the handler that feeds OpenTelemetry: drops what the exporting of telemetry logs, which would be exported again."""

    def filter(self, record: logging.LogRecord) -> bool:
        return is_instrumentation_enabled() and record.name.partition(".")[0] not in _OWN
