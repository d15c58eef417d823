"""Exports log records of OpenTelemetry's pipeline as alerts."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final, Protocol

from telemetry.alerts.alert import Alert, AlertKey
from telemetry.compatibility.unstable_api import LogRecordExporter, LogRecordExportResult, ReadableLogRecord
from telemetry.failsafe import failsafe
from telemetry.logs.alert_attributes import InJob

notifying: Final[ContextVar[bool]] = ContextVar("telling", default=False)
"""True where notifications are sent: the outbox shows the errors of that, so they are no alerts about alerts."""


class AlertIntake(Protocol):
    """Receives alerts: see `Deduplicator`."""

    def is_known(self, fingerprint: str, severity: int, at: float) -> bool: ...
    def count_if_repeat(self, key: AlertKey) -> bool: ...
    def report(self, alert: Alert) -> None: ...


class AlertExporter(LogRecordExporter):
    """Reports each record that is an alert within the call that logged it. It waits for no network."""

    def __init__(self, intake: AlertIntake, in_job: InJob = lambda _context: False) -> None:
        self._intake = intake
        self.is_known = intake.is_known
        self._in_job = in_job

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        if notifying.get():
            return LogRecordExportResult.SUCCESS
        for record in batch:
            self._report(record)
        return LogRecordExportResult.SUCCESS

    @failsafe
    def _report(self, record: ReadableLogRecord) -> None:
        key = AlertKey.from_log_record(record, self._in_job)
        if key is not None and not self._intake.count_if_repeat(key):
            self._intake.report(Alert.from_log_record(record, key))

    def shutdown(self) -> None:
        """Nothing to do: the pipeline closes the outbox."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the SDK's signature
        return True
