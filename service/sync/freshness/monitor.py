"""Reads the freshness of the data on a schedule: gauges and alerts use the newest snapshot, and no scrape waits for the database."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError  # noqa: A004

from service.settings import Settings
from service.sync.freshness.snapshot import FreshnessSnapshot, read_snapshot
from telemetry.database import transaction

CHECK_INTERVAL: Final = timedelta(seconds=30)
_PAUSE: Final = 20.0
"""How many times as long as a check took the next one is away, at least: it costs 5 % of one core at most."""


class FreshnessMonitor:
    """`snapshot` is the newest one; None until the database has answered for the first time."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        now: Callable[[], datetime],
        evaluate: Callable[[FreshnessSnapshot], None],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.snapshot: FreshnessSnapshot | None = None
        self._engine = engine
        self._settings = settings
        self._now = now
        self._evaluate = evaluate
        self._elapsed = elapsed
        self._next_check = float("-inf")

    def check(self) -> None:
        """Take a snapshot and evaluate the alerts. While the database is unavailable, the last snapshot stays."""
        began = self._elapsed()
        if began < self._next_check:
            return
        try:
            self._check()
        except (OperationalError, InterfaceError, TimeoutError):
            return  # the database has an alert of its own
        self._next_check = began + _PAUSE * (self._elapsed() - began)

    def _check(self) -> None:
        now = self._now()
        with transaction(self._engine) as session:
            snapshot = read_snapshot(session, self._settings, now)
        self.snapshot = snapshot
        self._evaluate(snapshot)
