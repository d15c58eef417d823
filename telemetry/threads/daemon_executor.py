"""Runs functions in a few daemon threads: the end of the process does not wait for one that hangs."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from telemetry.costs.account import for_this_account
from telemetry.threads.daemon import start_daemon

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(Executor):
    """Like the standard library's thread pool, whose threads the interpreter joins at its end. An idle thread ends."""

    def __init__(self, threads: int, name: str) -> None:
        self._most = threads
        self._name = name
        self._guard = threading.RLock()
        self._number = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a call.

        Raises:
            RuntimeError: no thread can be started now.
        """
        future: Future[T] = Future()
        charged = for_this_account(function)
        with self._guard:  # a new thread waits for it, and then finds the call
            if self._number < self._most and not self._starts_thread() and not self._number:
                raise RuntimeError("no thread can be started now")
            self._waiting.append(lambda: _call(future, lambda: charged(*args, **kwargs)))
        return future

    def _starts_thread(self) -> bool:
        if start_daemon(self._run, self._name) is None:
            return False
        self._number += 1
        return True

    def _run(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], None] | None:
        with self._guard:
            if self._waiting:
                return self._waiting.popleft()
            self._number -= 1
            return None


def _call(future: Future[T], function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001  # the edge of the thread: whoever waits gets the exception
        future.set_exception(error)
    else:
        future.set_result(result)
