"""The number of firing alerts, which the navigation of each page shows."""

import threading
import time
from typing import Final

from telemetry.alerts.pipeline import AlertPipeline
from telemetry.failsafe import failsafe

_FRESH_FOR: Final = 1.0


class FiringAlerts:
    """Counts the alerts that fire; at most once a second, however many pages are read."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._until, self._number = 0.0, 0

    def count(self, alerts: AlertPipeline) -> int:
        """The number of firing alerts; 0 where it cannot be read."""
        with self._guard:
            if time.monotonic() >= self._until:
                self._number = failsafe(lambda: _read(alerts))() or 0
                self._until = time.monotonic() + _FRESH_FOR
            return self._number


def _read(alerts: AlertPipeline) -> int:
    return alerts.queries.counts(time.time()).firing if alerts.is_on else 0
