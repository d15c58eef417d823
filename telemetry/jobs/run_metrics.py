"""The metrics of job runs: active runs, ended runs by status, durations, and the times of the last success and failure."""

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instruments import Instruments
from telemetry.jobs.run import JobRun


class RunMetrics:
    """Records the metrics of runs. Every step is fail-safe: an error in one affects neither the run nor the other steps."""

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments

    @failsafe
    def run_started(self, run: JobRun) -> None:
        self._instruments.job_active.add(1, {semconv.JOB_NAME: run.job_name})

    def run_ended(self, run: JobRun, span: ReadableSpan, *, was_counted: bool) -> None:
        """Record the end of a run.

        Args:
            run: the ended run.
            span: its span.
            was_counted: whether `run_started` was called for it.
        """
        labels = {semconv.JOB_NAME: run.job_name}
        if was_counted:
            self._decrement_active(labels)
        self._count_run(run, labels)
        self._record_duration(span, labels)
        self._set_last_end(run, span, labels)

    @failsafe
    def _decrement_active(self, labels: dict[str, str]) -> None:
        self._instruments.job_active.add(-1, labels)

    @failsafe
    def _count_run(self, run: JobRun, labels: dict[str, str]) -> None:
        if run.outcome == semconv.OUTCOME_SKIPPED:
            self._instruments.runs_skipped.add(1, labels)
        else:
            self._instruments.job_runs.add(1, {**labels, semconv.JOB_STATUS: run.status})

    @failsafe
    def _record_duration(self, span: ReadableSpan, labels: dict[str, str]) -> None:
        """Record it in the context of the span, so that an exemplar refers to its trace."""
        seconds = max(0, (span.end_time or 0) - (span.start_time or 0)) / 1e9
        context = span.get_span_context()
        span_context = None if context is None else set_span_in_context(NonRecordingSpan(context))
        self._instruments.job_duration.record(seconds, labels, span_context)

    @failsafe
    def _set_last_end(self, run: JobRun, span: ReadableSpan, labels: dict[str, str]) -> None:
        if run.outcome == semconv.OUTCOME_SKIPPED:
            return
        succeeded = run.status == semconv.STATUS_SUCCESS
        last = self._instruments.job_last_success if succeeded else self._instruments.job_last_failure
        last.set((span.end_time or 0) / 1e9, labels)
