"""Unclean stops: a service that starts reports that the one before it was killed. An orderly stop is not reported."""

import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, suppress
from typing import Final

from telemetry import semconv
from telemetry.durations import format_timestamp
from telemetry.environment.runbook import RunbookSection
from telemetry.failsafe import failsafe
from telemetry.health.lifecycle import STOP_SIGNALS, stopping_on_signals
from telemetry.health.memory import OomKills, memory, oom_kills
from telemetry.health.usage import Usage
from telemetry.processes import forks
from telemetry.processes.file_lock import FileLock
from telemetry.processes.process_entry import name_of
from telemetry.processes.process_group import boot_id
from telemetry.processes.registry import ProcessRegistry, live_processes
from telemetry.processes.run_markers import RunMarker, RunMarkers, examine
from telemetry.threads.daemon import start_daemon

MARK_INTERVAL: Final = 5.0
"""Seconds. The message says that the service was seen last at so many seconds before its end, at the most."""
SCARCE_MEMORY_PERCENT: Final = 90
_STOP_SECONDS: Final = 1.0
_MAX_PIDS: Final = 10
_LOCK: Final = "examination"
_COMPONENT: Final = "app"
_ADVICE: Final = "Raise the memory limit, or use fewer workers."
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
        self._started, self._started_at, self._parent = 0.0, 0.0, 0

    def begin(self) -> None:
        """Report what was killed before, and mark this process as one that serves. More than once is harmless."""
        if self._is_on and self._thread is None and not self._is_stopping:
            self._started, self._started_at = time.monotonic(), time.time()
            self._parent = os.getppid()  # later it may be that of an orphan
            self._thread = start_daemon(self._run, "run-marker")

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
        with suppress(OSError):  # a full disk has an alert of its own
            self._registry.register()  # without an entry, others would take this process for dead
            self._markers.write(self._marker())
            self._forget_replaced()

    def _finish(self) -> None:
        if self._is_orphaned:
            self._mark()
        else:
            self._markers.remove([self._registry.id])
            with suppress(OSError):
                self._forget_replaced()

    def _marker(self) -> RunMarker:
        used, oom = self._read_memory(), self._read_oom_kills()
        keeper = self._registry.keeper
        if not keeper and multiprocessing.parent_process() is not None:
            keeper = f"{boot_id()}-{name_of(self._parent)}"
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

    def _forget_replaced(self) -> None:
        """Remove the markers of killed workers of this service, which goes on, or was told to stop."""
        group = self._registry.group
        if group and not self._is_orphaned:
            others = [each.id for each in self._markers.read() if each.group == group and not each.is_orphaned]
            live = self._registry.live_ids()
            self._markers.remove(each for each in others if each not in live)

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


def log_killed(killed: Sequence[RunMarker], oom: OomKills) -> None:
    """One alert, whoever was killed: those of a crash loop are its repeats."""
    last = max(killed, key=lambda each: each.seen_at)
    facts = {
        "Processes": _processes(killed),
        "Started": format_timestamp(min(each.started_at for each in killed)),
        "Last seen": format_timestamp(last.seen_at),
        "Host": last.host,
        "Memory": f"{_memory(last).percent}% of {last.memory_total // 2**20:,} MB were used when it was last seen",
    }
    attributes = {
        semconv.COMPONENT: _COMPONENT,
        semconv.ALERT_LEVEL: logging.getLevelName(logging.WARNING),
        semconv.ALERT_SECTION: str(RunbookSection.SERVICE_KILLED),
        semconv.ALERT_FINGERPRINT: RunbookSection.SERVICE_KILLED.removeprefix("message-"),
        semconv.ALERT_FACTS: json.dumps(facts, ensure_ascii=False),
    }
    _log.warning("%s\n%s", _event(killed, last), _cause(last, oom), extra=attributes)


def _event(killed: Sequence[RunMarker], last: RunMarker) -> str:
    if last.boot != boot_id():
        return "The machine went down while the service was running. The service runs again."
    what = "its process" if len(killed) == 1 else f"its {len(killed)} processes"
    if any(each.is_orphaned for each in killed):
        what = f"the parent of {what}"
    return f"The service was killed: {what} ended without an orderly stop. The service runs again."


def _cause(last: RunMarker, oom: OomKills) -> str:
    if last.boot != boot_id():
        return "Look for a crash or a loss of power in the log of the machine."
    if number := oom.since(OomKills(last.oom_group, last.oom_kills)):
        what = "a process" if number == 1 else f"{number} processes"
        return f"The kernel has killed {what} of its container for memory since then. {_ADVICE}"
    if _memory(last).percent >= SCARCE_MEMORY_PERCENT:
        return f"It may have been out of memory. {_ADVICE}"
    return "Its memory was not scarce when it was last seen. Find in the log of the kernel or of the supervisor what killed it."


def _memory(marker: RunMarker) -> Usage:
    return Usage(marker.memory_used, marker.memory_total)


def _processes(killed: Sequence[RunMarker]) -> str:
    pids = sorted(each.pid for each in killed)
    shown = ", ".join(map(str, pids[:_MAX_PIDS])) + (", …" if len(pids) > _MAX_PIDS else "")
    parents = sorted({each.parent for each in killed if each.parent})
    return f"{shown} (workers of {', '.join(map(str, parents))})" if parents else shown
