"""An entry of the queue of runs, and how many there were."""

from dataclasses import dataclass

from telemetry.jobs.recorder.spool import SpoolPosition
from telemetry.jobs.run import JobRun


@dataclass(frozen=True, slots=True)
class QueueBalance:
    """Counts of records; a run has two, its start and its end. `received` is the sum of the other three."""

    received: int
    written: int
    dropped: int
    pending: int


@dataclass(slots=True)
class QueuedRun:
    """An unwritten record of a run, kept in memory, in the spool or in both.

    `enqueued_at` is by the clock of the queue, `size` is that of the record in memory.
    """

    number: int
    run_id: str
    is_end: bool
    run: JobRun | None
    position: SpoolPosition | None
    enqueued_at: float
    size: int
