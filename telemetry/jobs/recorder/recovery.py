"""SpoolRecovery: brings what processes that are gone have left in their spools to the database, and closes what they had under way."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from telemetry.jobs.recorder.orphaned_spools import OrphanedSpool, find_orphaned_spools, remove_empty_spools
from telemetry.jobs.recorder.writer import brief
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.jobs.store.running_runs import LostRun, RunningRuns
from telemetry.jobs.store.runs import JobRunRepository

BATCH_SIZE: Final = 100
_log = logging.getLogger(__name__)


class RecoveryCounters(Protocol):
    """What is told of what becomes of the records."""

    def replayed(self, number: int) -> None: ...
    def lost(self, job_name: str, runs: int) -> None: ...
    def dropped(self, number: int, reason: str) -> None: ...


class SpoolRecovery:
    """Several may try at once: one of them has a spool, and the others leave it.

    What can't be brought stays where it is until somebody can. To bring a record twice changes nothing.
    """

    def __init__(self, directory: Path, store: JobRunRepository, alive: RunningRuns, counts: RecoveryCounters) -> None:
        self._directory = directory
        self._store = store
        self._alive = alive
        self._counts = counts
        self._stuck_since: float | None = None

    def age(self) -> float:
        """For how many seconds the oldest spool that could not be brought has been there."""
        since = self._stuck_since
        return 0.0 if since is None else max(0.0, time.time() - since)

    def inherit(self, may_go_on: Callable[[], bool]) -> list[LostRun]:
        """Bring everything that there is. Returns the runs that had begun, and whose end nobody will write.

        `may_go_on` is asked between two batches; when it says no, the rest stays.

        Raises:
            Exception: the database is away, or the disk gives something not back; the other spools were brought.
        """
        lost: list[LostRun] = []
        trouble: OSError | None = None
        remove_empty_spools(self._directory)
        for left in find_orphaned_spools(self._directory):
            try:
                lost += self._bring(left, may_go_on)
            except OSError as error:
                trouble = error
                self._stuck(left)
            except BaseException:
                self._stuck(left)
                raise
        if trouble is not None:
            raise trouble
        self._stuck_since = None
        return lost

    def _stuck(self, left: OrphanedSpool) -> None:
        self._stuck_since = min(left.since(), self._stuck_since or left.since())
        left.release()

    def _bring(self, left: OrphanedSpool, may_go_on: Callable[[], bool]) -> list[LostRun]:
        ended = {run.run_id for run in left.runs() if run.finished_at is not None}
        open_runs: set[str] = set()
        for runs in _batches(left.runs()):
            if not may_go_on():
                left.release()
                return []
            missing = self._store.missing(runs)
            refused = self._write([run for run in missing if run.finished_at is not None or run.run_id not in ended])
            self._counts.replayed(len(missing) - refused)
            open_runs.update(run.run_id for run in runs if run.run_id not in ended)
        lost = self._alive.close(list(open_runs))
        left.remove()
        if left.unreadable:
            _log.warning("Lines of a spool of job runs that are not whole, and are dropped: %d.", left.unreadable)
            self._counts.dropped(left.unreadable, "unreadable")
        return lost

    def _write(self, runs: Sequence[JobRun]) -> int:
        """A run whose end is there is written once, with its end: nobody is to take it for lost meanwhile.

        Returns how many the database refuses.
        """
        try:
            self._store.replay(runs)
        except UnwritableRunError as error:
            if len(runs) > 1:
                return sum(self._write([run]) for run in runs)
            _log.warning("A run of job %r can't be written, and is dropped: %s", runs[0].job_name, brief(error))
            self._counts.dropped(1, "unwritable")
            return 1
        return 0


def _batches(runs: Iterable[JobRun]) -> Iterator[list[JobRun]]:
    runs = iter(runs)
    while batch := list(islice(runs, BATCH_SIZE)):
        yield batch
