"""Remembers that the scheduler cannot claim runs, and why, until a claim is possible again."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from telemetry.error_text import safe_text

_log: Final = logging.getLogger(__name__)


class ClaimFailure:
    """Logged when it begins, when its reason changes and when it ends: not at each scheduled run.

    `check` raises while no run can be claimed. It is called only after a claim has failed.
    """

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check
        self._reason = ""
        self._lock = threading.Lock()
        self._checking = threading.Lock()

    def report(self, error: BaseException | None) -> None:
        """Report the result of a claim: its error, or None."""
        if error is None and not self._reason:
            return
        reason = "" if error is None else safe_text(error)
        with self._lock:
            before, self._reason = self._reason, reason
        if reason and reason != before:
            _log.warning("The scheduler cannot claim runs: %s. No job starts until it can.", reason)
        elif before and not reason:
            _log.info("The scheduler can claim runs again.")

    def current_reason(self) -> str:
        """Why no run can be claimed; empty if runs can be claimed, or no claim has failed.

        Checked now, unless another thread is doing so: callers that come together use one connection.
        """
        if self._reason and self._checking.acquire(blocking=False):
            try:
                self._check_now()
            finally:
                self._checking.release()
        return self._reason

    def _check_now(self) -> None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001  # any exception of a check is its result
            self.report(error)
        else:
            self.report(None)
