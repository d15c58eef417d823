"""Logs once when the spool starts to reject runs, and once when it accepts them again."""

import logging
from typing import Final

from telemetry import semconv
from telemetry.environment.runbook import RunbookSection
from telemetry.error_text import error_summary

_log: Final = logging.getLogger(__name__)
_ATTRIBUTES: Final = {semconv.ALERT_SECTION: str(RunbookSection.JOB_RUNS_NOT_KEPT)}


class SpoolState:
    """The last state of the spool that was logged; it accepts runs at first."""

    def __init__(self) -> None:
        self._is_failing = False

    def log_change(self, error: Exception | None) -> None:
        """Log the change, if there is one. `error` is why the spool rejected the last run; None if it did not."""
        if (error is not None) is self._is_failing:
            return
        self._is_failing = error is not None
        if error is None:
            _log.warning("Job runs are kept on the disk again.")
        else:
            sentence = "Job runs can't be kept on the disk now, and would be lost with this process: %s"
            _log.error(sentence, error_summary(error), extra=_ATTRIBUTES)
