"""The schedule of an application, as the console reads and changes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ScheduledJob:
    """A job of the schedule.

    Attributes:
        cadence: when it runs, in words, such as `every 15 min`.
        next_run: None if it is paused or cannot run.
        missing: why it cannot run, as a sentence; empty if it can.
        paused_since: None if it is not paused; then who has paused it, and why.
    """

    name: str
    cadence: str = ""
    next_run: datetime | None = None
    missing: str = ""
    paused_since: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""


@dataclass(frozen=True, slots=True)
class MissedRun:
    """A scheduled run that did not begin in time: because the job was late, or because no scheduler was running.

    Attributes:
        until: where it stands for `number` of them, when the last one was due.
    """

    job_name: str
    scheduled_for: datetime
    in_downtime: bool = False
    until: datetime | None = None
    number: int = 1


class JobControl(Protocol):
    """Called in a worker thread. Each change says in a `Refused` why it cannot be made."""

    def schedule(self) -> Sequence[ScheduledJob]: ...

    def missed(self, since: datetime) -> Sequence[MissedRun]: ...

    def run_now(self, name: str, by: str) -> None: ...

    def pause(self, name: str, by: str, reason: str) -> None: ...

    def resume(self, name: str, by: str) -> None: ...
