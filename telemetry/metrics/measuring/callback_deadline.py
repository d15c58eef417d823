"""A deadline for each callback of an observable instrument: one that hangs costs its own values, and not the page.

A callback runs in a thread that is lent for it. Where it is late, the thread is given up, and the callback is not asked
again before it has returned: so no more threads hang than callbacks.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from itertools import islice
from queue import SimpleQueue
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation

from telemetry.processes import forks
from telemetry.threads.daemon import start_daemon
from telemetry.threads.worker_thread import Receipt

TIMEOUT: Final = 1.0
"""Seconds for which a collection waits for one callback."""
MAX_OBSERVATIONS: Final = 100_000
"""Of one callback; further ones are not asked for. One that has no end is cut there, or by its deadline."""
Observe = Callable[[CallbackOptions], Iterable[Observation]]
_log: Final = logging.getLogger(__name__)


class _CallbackCall:
    """One call of a callback, and what became of it."""

    def __init__(self, observe: Observe, options: CallbackOptions) -> None:
        self._observe = observe
        self._options = options
        self._context: Context = copy_context()
        self._receipt = Receipt()
        self.is_done = False
        self.observations: list[Observation] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._context.run(self._collect)
        except BaseException as error:  # noqa: BLE001  # it is raised again where it was asked for
            self.error = error
        finally:
            self.is_done = True
            self._receipt.give()

    def _collect(self) -> None:
        for observation in islice(self._observe(self._options), MAX_OBSERVATIONS):
            self.observations.append(observation)  # what was observed before an error is kept

    def wait(self) -> bool:
        """Whether it returned within its deadline. To be asked once."""
        return self._receipt.wait(TIMEOUT)


class _LentThread:
    """Runs one call at a time. Ends when it was given up and its call has returned."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[_CallbackCall | None] = SimpleQueue()
        self.is_started = start_daemon(self._run, "metrics-callback") is not None

    def _run(self) -> None:
        while call := self._calls.get():
            call.run()

    def run(self, call: _CallbackCall) -> bool:
        """Whether the call returned within its deadline."""
        if not self.is_started:  # the interpreter ends
            call.run()
            return True
        self._calls.put(call)
        if call.wait():
            return True
        self.end()
        return False

    def end(self) -> None:
        """End the thread after its call."""
        self._calls.put(None)


class CallbackDeadline(forks.ForkAware):
    """Calls the callbacks of all instruments of a meter provider.

    Attributes:
        late: how often callbacks gave nothing, by the instrument's name.
    """

    def __init__(self) -> None:
        self.late: Counter[str] = Counter()
        self._idle: deque[_LentThread] = deque()
        forks.register(self)

    def restart_in_child(self) -> None:
        """The threads are the parent's."""
        self._idle = deque()

    def end(self) -> None:
        """End the threads that wait for a call. A later call gets a new one."""
        with suppress(IndexError):
            while True:
                self._idle.pop().end()

    def bind(self, instrument: str, observe: Observe) -> Observe:
        """The callback with its deadline. What it observed before it raised is returned before that is raised."""
        hung: deque[_CallbackCall] = deque(maxlen=1)

        def observe_in_time(options: CallbackOptions) -> Iterable[Observation]:
            if hung and not hung[0].is_done:
                self.late[instrument] += 1
                return
            call = _CallbackCall(observe, options)
            if not self._run(call):
                hung.append(call)
                self._note_late(instrument)
                return
            yield from call.observations
            if call.error is not None:
                raise call.error

        return observe_in_time

    def _run(self, call: _CallbackCall) -> bool:
        thread = self._take()
        if not thread.run(call):
            return False
        if thread.is_started:
            self._idle.append(thread)
        return True

    def _take(self) -> _LentThread:
        with suppress(IndexError):
            return self._idle.pop()
        return _LentThread()

    def _note_late(self, instrument: str) -> None:
        self.late[instrument] += 1
        _log.warning(
            "A callback of %s has not returned within %.0f s: it is not called again until it does.",
            instrument,
            TIMEOUT,
        )
