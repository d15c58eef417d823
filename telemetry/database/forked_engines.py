"""Engines and forks: no connection is used by two processes, and no fork happens in the midst of a transaction.

A child has connections of its own. SQLite also keeps its locks in the memory of the process, where a child would take those of
its parent for its own ones: so the idle connections to a file are closed before a fork, and opened again when they are needed.
"""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final
from weakref import WeakKeyDictionary, ref

from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from telemetry.processes import forks
from telemetry.threads.daemon import start_daemon

_MAX_WAIT: Final = 5.0
"""Seconds after which a transaction begins although a fork seems to be under way."""
_of_parents: Final[list[Pool]] = []
"""Never freed, since that would close the connections that are the parent's."""


class _TransactionGate(forks.ForkAware):
    """Lets transactions pass, but none begin while the process forks. The thread that forks may be inside one."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._active: Counter[int] = Counter()
        self._is_closed = False
        forks.register(self)

    def enter(self, thread: int) -> None:
        with self._changed:
            if self._is_closed and not self._active[thread]:
                self._changed.wait_for(lambda: not self._is_closed, _MAX_WAIT)
            self._active[thread] += 1

    def leave(self, thread: int) -> None:
        with self._changed:
            self._active[thread] -= 1
            if self._active[thread] <= 0:
                del self._active[thread]
            self._changed.notify_all()

    def pause(self, timeout: float) -> None:
        me = threading.get_ident()
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._active.keys() <= {me}, timeout)

    def resume(self) -> None:
        with self._changed:
            self._is_closed = False
            self._changed.notify_all()

    def restart_in_child(self) -> None:
        me = threading.get_ident()
        self._changed, self._is_closed = threading.Condition(threading.RLock()), False
        self._active = Counter({me: self._active[me]} if self._active[me] else {})


class _EngineOfProcess(forks.ForkAware):
    """An engine whose connections are those of one process."""

    def __init__(self, engine: Engine, *, closes_idle: bool) -> None:
        self._engine = ref(engine)
        self._closes_idle = closes_idle
        forks.register(self)

    def pause(self, timeout: float) -> None:
        """Close the idle connections. A disk that hangs does not delay the fork for longer than `timeout` seconds."""
        engine = self._engine()
        if engine is not None and self._closes_idle and (thread := start_daemon(engine.dispose, "close-before-fork")):
            thread.join(timeout)

    def restart_in_child(self) -> None:
        if (engine := self._engine()) is not None:
            _of_parents.append(engine.pool)
            engine.pool = engine.pool.recreate()


_gate: Final = _TransactionGate()
_engines: Final["WeakKeyDictionary[Engine, _EngineOfProcess]"] = WeakKeyDictionary()


def use_in_one_process(engine: Engine, *, closes_idle: bool) -> None:
    """Give each forked child connections of its own, as long as the engine exists.

    Args:
        engine: the engine; not one of a database in memory, which a child could not open again.
        closes_idle: whether idle connections are closed before a fork.
    """
    _engines[engine] = _EngineOfProcess(engine, closes_idle=closes_idle)


def is_of_parent(pool: object) -> bool:
    """Whether the connections of this pool are those of a process from which this one was forked."""
    return any(pool is each for each in _of_parents)


@contextmanager
def no_fork() -> Generator[None]:
    """Let forks of other threads wait for this block, for a short time."""
    thread = threading.get_ident()
    _gate.enter(thread)
    try:
        yield
    finally:
        _gate.leave(thread)
