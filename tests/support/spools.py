"""Spools of several processes within one process. What is known of the processes is in the directory above."""

from telemetry.jobs.recorder.orphaned_spools import acquire_orphaned_spools
from telemetry.jobs.recorder.spool import Spool
from telemetry.processes.registry import ProcessRegistry, live_processes


class ProcessSpool(Spool):
    """The spool of a process of its own, which ends with `abandon`, as by a kill, or with `close`."""

    def __init__(self, directory, *args, **options):
        self.process = ProcessRegistry(directory.parent)
        super().__init__(directory, self.process, *args, **options)

    def abandon(self):
        super().abandon()
        self.process.release()


def leave_spool(directory, *runs, database=""):
    """Leave the spool of a dead process with these runs."""
    spool = ProcessSpool(directory, database=database)
    for run in runs:
        spool.append(run)
    spool.abandon()


def live_ids(directory):
    return {entry.id for entry in live_processes(directory.parent)}


def orphans(directory):
    """The spools that another process would recover."""
    return acquire_orphaned_spools(directory, lambda: live_ids(directory))


def orphaned_runs(directory):
    """The runs that another process would recover; removes nothing."""
    found = []
    for orphan in orphans(directory):
        found += orphan.runs()
        orphan.release()
    return found
