"""Replays the spools of dead processes into the database, and marks the runs that they had open as lost."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from telemetry.error_text import error_summary
from telemetry.jobs.recorder.dead_letters import put_aside
from telemetry.jobs.recorder.orphaned_spools import OrphanedSpool, acquire_orphaned_spools
from telemetry.jobs.recorder.spool_codec import encode
from telemetry.jobs.recorder.spool_databases import SpoolDatabases
from telemetry.jobs.run import JobRun, UnwritableRunError
from telemetry.jobs.store.running_runs import LostRun, RunningRuns
from telemetry.jobs.store.runs import JobRunRepository

BATCH_SIZE: Final = 100
_log = logging.getLogger(__name__)


class RecoveryCounters(Protocol):
    """Counts what became of the recovered records."""

    def count_replayed(self, number: int) -> None: ...
    def count_lost(self, job_name: str, runs: int) -> None: ...
    def count_dropped(self, number: int, reason: str) -> None: ...


class SpoolRecovery:
    """Safe to run in several processes at once: each spool is locked by one of them.

    A spool that cannot be replayed stays on the disk until a later attempt. Replaying a record twice changes nothing.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # its parts
        self,
        directory: Path,
        live_ids: Callable[[], set[str]],
        store: JobRunRepository,
        running_runs: RunningRuns,
        counters: RecoveryCounters,
        database: str = "",
    ) -> None:
        """`database` is that of the stores: the spools of another one are left alone."""
        self.databases = SpoolDatabases(directory, database)
        self._directory = directory
        self._live_ids = live_ids
        self._store = store
        self._running_runs = running_runs
        self._counters = counters
        self._failing_since: float | None = None

    def oldest_age(self) -> float:
        """For how many seconds the oldest spool that could not be replayed has been waiting; 0 if there is none."""
        since = self._failing_since
        return 0.0 if since is None else max(0.0, time.time() - since)

    def recover(self, should_continue: Callable[[], bool]) -> list[LostRun]:
        """Replay all orphaned spools.

        Args:
            should_continue: asked before each batch; on False the rest stays for a later attempt.

        Returns:
            The runs that this call marked as lost: they had started, and their process is dead.

        Raises:
            SQLAlchemyError: the database is unavailable.
            Exception: a spool cannot be replayed, such as one that the disk does not give back; the others were replayed.
        """
        self.databases.report()
        lost: list[LostRun] = []
        failure: Exception | None = None
        for spool in acquire_orphaned_spools(self._directory, self._live_ids, self.databases.is_foreign):
            try:
                lost += self._replay(spool, should_continue)
            except BaseException as error:
                self._release_failed(spool)
                if isinstance(error, SQLAlchemyError) or not isinstance(error, Exception):
                    raise
                failure = error
        if failure is not None:
            raise failure
        self._failing_since = None
        return lost

    def _release_failed(self, spool: OrphanedSpool) -> None:
        self._failing_since = min(spool.oldest_write_time(), self._failing_since or spool.oldest_write_time())
        spool.release()

    def _replay(self, spool: OrphanedSpool, should_continue: Callable[[], bool]) -> list[LostRun]:
        ended = {run.run_id for run in spool.runs() if run.finished_at is not None}
        open_runs: set[str] = set()
        for runs in _batches(spool.runs()):
            if not should_continue():
                spool.release()
                return []
            missing = self._store.missing(runs)
            # A start whose end is in the spool too is left out: written alone, the run could be taken for lost meanwhile.
            refused = self._replay_batch(
                spool.id, [run for run in missing if run.finished_at is not None or run.run_id not in ended]
            )
            self._counters.count_replayed(len(missing) - refused)
            open_runs.update(run.run_id for run in runs if run.run_id not in ended)
        lost = self._running_runs.mark_lost(list(open_runs))
        if spool.unreadable:
            self._put_aside(spool.id, spool.lines)
            self._counters.count_dropped(spool.unreadable, "unreadable")
            _log.warning("Incomplete lines in a spool of job runs, kept as dead letters: %d.", spool.unreadable)
        spool.remove()
        return lost

    def _put_aside(self, spool: str, lines: list[bytes]) -> None:
        if not put_aside(self._directory, spool, lines):
            _log.warning(
                "Incomplete lines in a spool of job runs could not be kept as dead letters, and are dropped: %d.",
                len(lines),
            )

    def _replay_batch(self, spool: str, runs: Sequence[JobRun]) -> int:
        """Write the runs; on a refusal, one by one. Returns how many the database refuses."""
        try:
            self._store.replay(runs)
        except UnwritableRunError as error:
            if len(runs) > 1:
                return sum(self._replay_batch(spool, [run]) for run in runs)
            _log.warning(
                "A run of job %r cannot be written, and is kept as a dead letter: %s",
                runs[0].job_name,
                error_summary(error),
            )
            self._put_aside(spool, [encode(run) for run in runs])
            self._counters.count_dropped(1, "unwritable")
            return 1
        return 0


def _batches(runs: Iterable[JobRun]) -> Iterator[list[JobRun]]:
    runs = iter(runs)
    while batch := list(islice(runs, BATCH_SIZE)):
        yield batch
