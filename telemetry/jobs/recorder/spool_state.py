"""Logs once when the spool starts to reject runs, and once when it accepts them again."""

import logging

_log = logging.getLogger(__name__)


class SpoolStateLog:
    def __init__(self) -> None:
        self._is_failing = False

    def update(self, error: Exception | None) -> None:
        """Take the error of the last run; None if the spool accepted it."""
        if (error is not None) is self._is_failing:
            return
        self._is_failing = error is not None
        if error is not None:
            _log.error(
                "Job runs can't be kept on the disk now, and would be lost with this process: %s", error_summary(error)
            )
        else:
            _log.warning("Job runs are kept on the disk again.")


def error_summary(error: Exception) -> str:
    """The class and the first line of an exception; the other lines of a database error are the statement and its parameters."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"
