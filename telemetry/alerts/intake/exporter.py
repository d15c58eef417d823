"""Exporter: the door through which alerts come in: log records of OpenTelemetry's pipeline, from wherever."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Final, Protocol

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.trace import SpanContext

from telemetry.alerts.alert import Alert, AlertKey
from telemetry.failsafe import failsafe

notifying: Final[ContextVar[bool]] = ContextVar("telling", default=False)
"""Set where alerts are sent: what goes wrong there is shown by the outbox, and is no alert about alerts."""


class AlertIntake(Protocol):
    """A desk."""

    def is_repeat(self, fingerprint: str, state: str, at: float) -> bool: ...
    def report(self, alert: Alert) -> None: ...


class AlertExporter(LogRecordExporter):
    """Brings each record that is an alert to the desk, within the call that logged it; it waits for no network.

    `in_job` says whether a span is that of a job, or inside of one.
    """

    def __init__(self, desk: AlertIntake, in_job: Callable[[SpanContext], bool] = lambda _context: False) -> None:
        self._desk = desk
        self._in_job = in_job

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        if notifying.get():
            return LogRecordExportResult.SUCCESS
        for record in batch:
            self._take(record)
        return LogRecordExportResult.SUCCESS

    @failsafe
    def _take(self, record: ReadableLogRecord) -> None:
        source = AlertKey.of(record, self._in_job)
        if source is not None and not self._desk.is_repeat(source.fingerprint, source.state, source.at):
            self._desk.report(Alert.from_log_record(record, source))

    def shutdown(self) -> None:
        """The outbox is closed by whoever has opened it."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the SDK's signature
        return True
