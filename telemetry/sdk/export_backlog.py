"""What an OTLP endpoint did not accept waits in memory, within bounds, and is sent again until it does.

An exporter of the SDK gives a batch up after ten seconds, and a Collector that is started again may be away for longer.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from opentelemetry.instrumentation.utils import suppress_instrumentation

from telemetry.failsafe import failsafe
from telemetry.processes import forks

MAX_ITEMS: Final = 4096
MAX_BYTES: Final = 8 * 2**20
RETRY_SECONDS: Final = 5.0
FULL: Final = "full"
REJECTED: Final = "rejected"
SHUTDOWN: Final = "shutdown"
_MAX_REJECTIONS: Final = 3
_LAST_TRY_SECONDS: Final = 2.0
_log: Final = logging.getLogger(__name__)


class _Exporter(Protocol):
    def export(self, batch: Any, /) -> Any: ...
    def shutdown(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class BacklogKind:
    """Which items wait.

    Attributes:
        items: what they are, such as `spans`: the name of the queue before this one, too.
        delivered: what `export` returns for a batch that was accepted.
        size: the bytes of an item in memory, roughly.
        drop: counts items that are dropped, by reason.
    """

    items: str
    delivered: Any
    size: Callable[[Any], int]
    drop: Callable[[int, str], None]


@dataclass(slots=True)
class _Batch:
    """Items that wait.

    Attributes:
        accepted: how many batches had been accepted when this one failed last; None if it was not tried.
        rejections: how often it failed although others had been accepted since.
    """

    items: Sequence[Any]
    size: int
    accepted: int | None = None
    rejections: int = 0


class ExportBacklog(forks.ForkAware):
    """Exports batches by another exporter, and keeps those that it cannot deliver. The oldest are dropped when it is full.

    It does not ask why a batch failed, as protocols differ in how they say it. A batch that fails while others are accepted is
    rejected for what is in it: it is cut in halves, and an item that fails three times alone is dropped.
    """

    def __init__(self, inner: _Exporter, kind: BacklogKind) -> None:
        self._inner, self._kind = inner, kind
        self._export = failsafe(inner.export)
        self.restart_in_child()
        forks.register(self)
        _backlogs[kind.items] = self

    def restart_in_child(self) -> None:
        """The batches are the parent's, which sends them."""
        self._lock, self._sending = threading.RLock(), threading.RLock()
        self._waiting: deque[_Batch] = deque()
        self._size = self._bytes = self._accepted = 0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def size(self) -> int:
        """The items that wait, those included that are being sent again."""
        return self._size

    @property
    def capacity(self) -> int:
        return MAX_ITEMS

    def export(self, items: Sequence[Any]) -> Any:
        """Send a batch. It is kept for later if it cannot be sent now, or if others wait already."""
        if self._size:
            self._keep(self._batch(items))
        elif not self._send(items):
            self._keep(self._batch(items, self._accepted))
        self._start()
        return self._kind.delivered

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  # the exporter has its own
        """Send what waits, until a batch fails. Returns whether nothing waits then."""
        self.retry()
        return not self._size

    def shutdown(self) -> None:
        """Try once more to send what waits, within two seconds. The rest is dropped."""
        self._stop.set()
        _backlogs.pop(self._kind.items, None)
        if thread := self._thread:
            thread.join(_LAST_TRY_SECONDS)
        self._inner.shutdown()
        with self._lock:
            left, self._size = self._size, 0
            self._waiting.clear()
        if left:
            self._kind.drop(left, SHUTDOWN)
            _log.warning("%d %s were not sent: their OTLP endpoint is unavailable.", left, self._kind.items)

    def retry(self) -> None:
        """Send what waits, the oldest first, until a batch fails."""
        while batch := self._take():
            if not self._send(batch.items):
                self._put_back(batch)
                return
            self._forget(batch)

    def _send(self, items: Sequence[Any]) -> bool:
        with self._sending:  # the exporter is not for two threads
            is_accepted: bool = self._export(items) == self._kind.delivered
            self._accepted += is_accepted
            return is_accepted

    def _batch(self, items: Sequence[Any], accepted: int | None = None) -> _Batch:
        return _Batch(items, sum(map(self._kind.size, items)), accepted)

    def _keep(self, *batches: _Batch) -> None:
        dropped = 0
        with self._lock:
            for batch in batches:
                self._waiting.append(batch)
                self._size += len(batch.items)
                self._bytes += batch.size
            while self._waiting and (self._size > MAX_ITEMS or self._bytes > MAX_BYTES):
                oldest = self._waiting.popleft()
                dropped += len(oldest.items)
                self._forget(oldest)
        if dropped:
            self._kind.drop(dropped, FULL)

    def _take(self) -> _Batch | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _forget(self, batch: _Batch) -> None:
        with self._lock:
            self._size -= len(batch.items)
            self._bytes -= batch.size

    def _put_back(self, batch: _Batch) -> None:
        """Behind the others: one that is rejected for what is in it does not keep them waiting."""
        is_rejected = batch.accepted is not None and self._accepted > batch.accepted
        batch.accepted = self._accepted
        batch.rejections += is_rejected
        half = len(batch.items) // 2
        with self._lock:
            self._forget(batch)
            if is_rejected and half:
                halves = (batch.items[:half], batch.items[half:])
                self._keep(*(self._batch(each, self._accepted) for each in halves))
            elif batch.rejections < _MAX_REJECTIONS:
                self._keep(batch)
            else:
                self._kind.drop(len(batch.items), REJECTED)

    def _start(self) -> None:
        """Start the thread that sends what waits, unless it runs, or nothing waits: then it ends."""
        with self._lock:
            if not self._size or self._thread is not None or self._stop.is_set():
                return
            thread = threading.Thread(target=self._run, name=f"unsent-{self._kind.items}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no thread can be started now: the next batch tries again
                return
            self._thread = thread

    def _run(self) -> None:
        retry = failsafe(self.retry)
        with suppress_instrumentation():
            is_stopping = False
            while not is_stopping:
                is_stopping = self._stop.wait(RETRY_SECONDS)
                retry()
                with self._lock:
                    if not self._size:
                        self._thread = None
                        return


_backlogs: Final["WeakValueDictionary[str, ExportBacklog]"] = WeakValueDictionary()


def queues() -> Mapping[str, ExportBacklog]:
    """The backlogs that there are, by the names of their queues."""
    return {f"unsent_{items}": backlog for items, backlog in _backlogs.items()}
