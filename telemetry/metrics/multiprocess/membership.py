"""Membership: finds the group of processes that this one serves with, joins it, and collects the page of all of them."""

import inspect
import logging
import multiprocessing
import threading
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat
from typing import Final

from telemetry.failsafe import failsafe
from telemetry.metrics.families import Family
from telemetry.metrics.multiprocess.collector import MultiprocessCollector
from telemetry.metrics.multiprocess.stranger_watch import StrangerWatch
from telemetry.metrics.multiprocess.worker_files import join_group
from telemetry.processes import forks
from telemetry.processes.process_group import ProcessGroup, find_group
from telemetry.processes.registry import ProcessRegistry
from telemetry.processes.server_sockets import SocketsUnknown
from telemetry.threads.daemon import start_daemon

SEARCH_INTERVAL: Final = 0.5
LATER_INTERVAL: Final = 30.0
_SEARCHES: Final = 120
"""With the first interval; a server opens its socket within the minute after its start."""
_FORKS_OF_HELPERS: Final = "multiprocessing.popen_fork"
_log = logging.getLogger(__name__)


class Membership(forks.ForkAware):
    """This process in its group, or alone until one is found.

    A server may fork its workers after it has imported the application (`gunicorn --preload`): such a child joins the group of
    its socket. A child that a worker forks for work of its own serves nothing, and shows itself alone, unless it begins to serve.

    Attributes:
        is_incomplete: whether there may be other workers that cannot be found.
    """

    def __init__(
        self,
        group_name: str | None,
        registry: ProcessRegistry,
        collect_own: Callable[[], list[Family]],
        create_collector: Callable[[ProcessRegistry, Callable[[], list[Family]]], MultiprocessCollector],
    ) -> None:
        """Create the membership; it joins from `start` on.

        Args:
            group_name: the name of the group, if the user gave one.
            registry: of the data directory that the group shares.
            collect_own: collects this process's own families.
            create_collector: called once the process has joined a group.
        """
        self._group_name = group_name
        self._registry = registry
        self._collect_own = collect_own
        self._create_collector = create_collector
        self._collector: MultiprocessCollector | None = None
        self._watch = StrangerWatch(registry)
        self._guard = threading.RLock()
        self._stopping = threading.Event()
        self._said: set[str] = set()
        self._is_started, self._is_helper, self.is_incomplete = False, False, False
        forks.register(self)

    def restart_in_child(self) -> None:
        self._guard, self._stopping = threading.RLock(), threading.Event()
        self._is_helper = self._is_helper or self._collector is not None or _is_forked_by_multiprocessing()
        self._collector, self.is_incomplete = None, False
        if self._is_started and not self._is_helper:
            self._search_in_thread(first=0.0)

    def start(self) -> None:
        """Join the group if it can be found now; search for it in a thread if not: a server may open its socket later."""
        self._is_started = True
        if not self._look(may_be_inherited=True):
            self._search_in_thread(first=SEARCH_INTERVAL)

    def serve(self) -> None:
        """Join now, if that was not done: this process is about to serve requests."""
        if self._is_started:
            self._look(may_be_inherited=True)

    def stop(self) -> None:
        """Share the measurements once more, and end the threads. Later measurements are lost. More than once is harmless."""
        if self._stopping.is_set():
            return
        self._is_started = False
        self._stopping.set()
        with self._guard:
            if self._collector is not None:
                self._collector.stop()

    def collect(self) -> list[Family]:
        """Collect the families of the whole group."""
        if self._is_started:
            self._complete()
        return self._collect_own() if self._collector is None else self._collector.collect()

    @failsafe
    def _complete(self) -> None:
        """Join what has been found since, and note what has not."""
        if self._collector is not None:
            self._note_strangers()
        else:
            if not self._is_helper:
                self._look(may_be_inherited=False)
            self._note_if_lonely()

    def _search_in_thread(self, first: float) -> None:
        start_daemon(partial(self._search, first, self._stopping), "metrics-group")

    def _search(self, first: float, stopping: threading.Event) -> None:
        """The event is that of the process at the start of the search."""
        for pause in chain([first], repeat(SEARCH_INTERVAL, _SEARCHES), repeat(LATER_INTERVAL)):
            if stopping.wait(pause) or self._look(may_be_inherited=not first):
                return

    @failsafe
    def _look(self, *, may_be_inherited: bool) -> bool:
        """Join the group if there is one. Returns whether this process is in one."""
        with self._guard:
            if self._collector is None and not self._stopping.is_set():
                group = self._find(may_be_inherited=may_be_inherited)
                if group is not None:
                    self._join(group)
            return self._collector is not None

    def _find(self, *, may_be_inherited: bool) -> ProcessGroup | None:
        try:
            return find_group(self._group_name, may_be_inherited=may_be_inherited)
        except SocketsUnknown:
            if multiprocessing.parent_process() is not None:
                self._note_incomplete("this system does not show which sockets are shared: set TELEMETRY_GROUP")
            return None

    def _join(self, group: ProcessGroup) -> None:
        try:
            join_group(self._registry, group)
            self._collector = self._create_collector(self._registry, self._collect_own)
        except OSError as error:
            self._note_incomplete(f"{self._registry.data_dir} cannot be used ({error.strerror or error})")
            return
        self.is_incomplete = False
        self._collector.start()

    def _note_if_lonely(self) -> None:
        """A process that is scraped is a worker. One that was spawned or forked has others, which cannot be found."""
        if self._collector is None and (self._is_helper or multiprocessing.parent_process() is not None):
            self._note_incomplete("it shares no socket with other workers: set TELEMETRY_GROUP")

    def _note_strangers(self) -> None:
        if not self._watch.are_there():
            self.is_incomplete = False
        else:
            self._note_incomplete("others at its socket are not in its group: give all of them one DATA_DIR")

    def _note_incomplete(self, reason: str) -> None:
        was_incomplete, self.is_incomplete = self.is_incomplete, True
        if not was_incomplete and reason not in self._said:
            self._said.add(reason)
            _log.warning("/metrics does not show all workers of this service: %s.", reason)


def _is_forked_by_multiprocessing() -> bool:
    """Whether the fork that is just happening makes a helper, such as a process of a pool."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") != _FORKS_OF_HELPERS:
        frame = frame.f_back
    return frame is not None
