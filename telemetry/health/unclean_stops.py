"""Unclean stops: a service that starts reports that the one before it was killed. An orderly stop is not reported."""

import errno
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, suppress
from typing import Final

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.health.kill_report import COMPONENT, log_killed
from telemetry.health.lifecycle import STOP_SIGNALS, stopping_on_signals
from telemetry.health.memory import OomKills, memory, oom_kills
from telemetry.health.usage import Usage
from telemetry.processes import forks
from telemetry.processes.file_lock import FileLock
from telemetry.processes.process_entry import name_of
from telemetry.processes.process_group import boot_id
from telemetry.processes.registry import DIRECTORY as REGISTRY
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.processes.run_markers import RunMarker, RunMarkers, examine
from telemetry.threads.daemon import start_daemon

MARK_INTERVAL: Final = 5.0
"""Seconds. The message says that the service was seen last at so many seconds before its end, at the most."""
_STOP_SECONDS: Final = 1.0
_LOCK: Final = "examination"
_WARNER: Final = "unmarked"
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""A full disk has an alert of its own."""
_log = logging.getLogger(__name__)


class UncleanStopWatch(forks.ForkAware):
    """Keeps the marker of this process while it serves, in a thread of its own. A forked child has none until it serves itself."""

    def __init__(
        self,
        registry: ProcessRegistry,
        is_on: bool = True,  # noqa: FBT001, FBT002  # a setting
        read_memory: Callable[[], Usage] = memory,
        read_oom_kills: Callable[[], OomKills] = oom_kills,
    ) -> None:
        """A watch that is off has no thread and no file."""
        self._registry, self._is_on = registry, is_on
        self._read_memory, self._read_oom_kills = read_memory, read_oom_kills
        self._markers = RunMarkers(registry.data_dir)
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        self._wake = threading.Lock()
        self._wake.acquire()
        self._thread: threading.Thread | None = None
        self._is_stopping, self._is_orphaned = False, False
        self._is_unmarked = False
        self._warner: FileLock | None = None
        self._started, self._started_at, self._parent = 0.0, 0.0, 0

    def begin(self) -> None:
        """Report what was killed before, and mark this process as one that serves. More than once is harmless."""
        if self._is_on and self._thread is None and not self._is_stopping:
            self._started, self._started_at = time.monotonic(), time.time()
            self._parent = os.getppid()  # later it may be that of an orphan
            self._thread = start_daemon(self._run, "run-marker")

    def marker_failure(self) -> str:
        """Why no process of this data directory could leave a marker; empty if it could, and for a watch that is off."""
        try:
            if self._is_on:
                self._markers.check_write()
        except OSError as error:
            return self._markers.describe_failure(error)
        return ""

    def announce_stop(self) -> None:
        """The process was told to stop: whatever ends it now is no surprise. For signal handlers: it waits for nothing."""
        self._is_stopping = True
        with suppress(RuntimeError):  # released already
            self._wake.release()

    def noticing_stop_signals(self) -> AbstractContextManager[None]:
        """For the time in which this process serves. SIGQUIT is how gunicorn stops workers at once: they clean nothing up."""
        return stopping_on_signals(self.announce_stop, (*STOP_SIGNALS, signal.SIGQUIT))

    def keep(self) -> None:
        """The process stops because its parent was killed: the next start reports that."""
        self._is_orphaned = self._thread is not None and not self._is_stopping
        self.announce_stop()

    def end(self) -> None:
        """Remove the marker: the process stops in order. More than once is harmless."""
        self.announce_stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        failsafe(self._report_killed)()
        failsafe(self._mark)()
        while not self._wake.acquire(timeout=MARK_INTERVAL):
            failsafe(self._mark)()
        failsafe(self._finish)()

    def _mark(self) -> None:
        with suppress(OSError):  # a registry that cannot be used is logged where it gives no instance id
            self._registry.register()  # without an entry, others would take this process for dead
            if self._write_marker():
                self._forget_replaced()

    def _write_marker(self) -> bool:
        """Whether this process has its marker. What is in the way of it is logged once."""
        try:
            self._markers.write(self._marker())
        except OSError as error:
            if not self._is_unmarked and error.errno not in _NO_SPACE:
                self._is_unmarked = True
                self._warn(error)
            return False
        self._is_unmarked = False
        if self._warner is not None:
            self._warner.close()
            self._warner = None
        return True

    def _warn(self, error: OSError) -> None:
        """One process of the data directory warns for all: the one that holds the lock."""
        with suppress(OSError):
            self._warner = FileLock.acquire(self._registry.data_dir / REGISTRY / _WARNER)
            if self._warner is None:
                return
        _log.warning(
            "A kill of this service cannot be reported at its next start: %s",
            self._markers.describe_failure(error),
            extra={semconv.COMPONENT: COMPONENT},
        )

    def _finish(self) -> None:
        if self._is_orphaned:
            self._mark()
        else:
            self._markers.remove([self._registry.id])
            with suppress(OSError):
                self._forget_replaced()

    def _marker(self) -> RunMarker:
        used, oom, keeper = self._read_memory(), self._read_oom_kills(), self._keeper()
        return RunMarker(
            id=self._registry.id,
            group=self._registry.group,
            keeper=keeper,
            host=socket.gethostname(),
            boot=boot_id(),
            pid=os.getpid(),
            parent=self._parent if keeper else 0,
            started=self._started,
            seen=time.monotonic(),
            started_at=self._started_at,
            seen_at=time.time(),
            is_orphaned=self._is_orphaned,
            memory_used=used.used,
            memory_total=used.total,
            oom_group=oom.group,
            oom_kills=oom.count,
        )

    def _keeper(self) -> str:
        if not self._registry.keeper and multiprocessing.parent_process() is not None:
            return f"{boot_id()}-{name_of(self._parent)}"
        return self._registry.keeper

    def _forget_replaced(self) -> None:
        """Remove the markers of killed workers of this service, which goes on, or was told to stop.

        Those of a service that was killed as a whole may have the same group: they are left to the report.
        """
        group = self._registry.group
        if group and not self._is_orphaned:
            others = [each for each in self._markers.read() if each.group == group and not each.is_orphaned]
            live = self._registry.live_ids()
            self._markers.remove(each.id for each in others if each.id not in live and self._is_sibling(each))

    def _is_sibling(self, marker: RunMarker) -> bool:
        """Whether its process has the same parent, or, where there is no parent, may have served beside this one."""
        keeper = self._keeper()
        if keeper or marker.keeper:
            return marker.keeper == keeper
        return marker.boot == boot_id() and marker.seen + MARK_INTERVAL >= self._started

    def _report_killed(self) -> None:
        """One process at a time. The report comes first: if this process is killed in between, the next one repeats it."""
        with suppress(OSError):
            if not self._markers.read() or (lock := FileLock.acquire(self._markers.directory / _LOCK)) is None:
                return
            with closing(lock):
                markers, live = self._markers.read(), list(live_processes(self._registry.data_dir))
                if not all(
                    entry.id for entry in live
                ):  # of another user or version: whose marker is its own cannot be told
                    return
                left = examine(markers, {entry.id for entry in live})
                for killed in left.killed.values():
                    log_killed(killed, self._read_oom_kills())
                self._markers.remove(each.id for each in [*left.settled, *(m for s in left.killed.values() for m in s)])
