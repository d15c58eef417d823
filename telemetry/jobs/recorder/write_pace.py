"""How fast the recorder writes: batches shrink to one run around one at fault, and pauses grow while the database is away."""

import logging
import re
import time
from typing import Final

from telemetry.error_text import error_summary

_MISSING_TABLE: Final = re.compile(r"no such table|relation .* does not exist", re.IGNORECASE)
_CREATE_TABLE: Final = " Create the tables by a migration, or by telemetry.create_tables(engine)."
_log: Final = logging.getLogger(__name__)
BATCH_SIZE: Final = 100
HANGING_WRITE_SECONDS: Final = 1.0
"""A write that takes longer makes the recorder unhealthy."""


class WritePace:
    """The size of the next write, and the pause after it if it fails.

    Attributes:
        is_failing: whether the last write failed.
        is_table_missing: whether it failed for a reason that does not pass by itself.
        batch_size: of the next write, in runs.
        pause: after the next failed write, in seconds.
    """

    def __init__(self, retry_delays: tuple[float, float]) -> None:
        self._first, self._longest = retry_delays
        self.is_failing = self.is_table_missing = False
        self.batch_size = BATCH_SIZE
        self.pause = self._first
        self._writing_since: float | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether the last write succeeded and none hangs."""
        return self.patience > 0

    @property
    def patience(self) -> float:
        """How many seconds it makes sense to wait for a run to be written: 0 after a failed write and for one that hangs."""
        if self.is_failing:
            return 0.0
        since = self._writing_since
        return HANGING_WRITE_SECONDS if since is None else max(0.0, since + HANGING_WRITE_SECONDS - time.monotonic())

    def begin(self) -> None:
        self._writing_since = time.monotonic()

    def succeed(self) -> None:
        if self.is_failing:
            _log.info("Job runs can be written again.")
        self.is_failing, self._writing_since, self.pause = False, None, self._first
        self.is_table_missing = False
        self.batch_size = min(2 * self.batch_size, BATCH_SIZE)

    def isolate(self) -> None:
        """One run of the batch can't be written: the next batches have one run each, until it is found."""
        self._writing_since, self.batch_size = None, 1

    def fail(self, error: Exception) -> None:
        self.is_table_missing = bool(_MISSING_TABLE.search(str(error)))
        if not self.is_failing:
            hint = _CREATE_TABLE if self.is_table_missing else ""
            _log.warning("Job runs can't be written now, and wait until they can: %s%s", error_summary(error), hint)
        self.is_failing, self._writing_since = True, None

    def lengthen(self) -> None:
        self.pause = min(2 * self.pause, self._longest)

    @property
    def shortest_pause(self) -> float:
        return self._first
