"""Logs requests that take longer than ten seconds, each once, with the stack of what they wait for."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from opentelemetry import context
from opentelemetry.context import Context

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.stacks.stack_capture import CapturedStack, HangingWork, capture

SLOW_REQUEST_SECONDS: Final = 10.0
MAX_PER_MINUTE: Final = 10
"""Stacks that are taken in a minute. Further requests are counted, and one line says how many."""
_COMPONENT: Final = "http"
_LOOK_INTERVAL: Final = 1.0
_EVENT_STREAM: Final = b"text/event-stream"
_CONTENT_TYPE: Final = b"content-type"
_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class RequestDetails:
    """What the log line of a slow request needs. `route` is the template, or empty."""

    method: str
    route: str
    work: HangingWork
    trace_context: Context
    headers: Iterable[tuple[bytes, bytes]]
    """Those of the response, if it has begun."""


class ActiveRequest(Protocol):
    """A request that has not ended. `started` is by `time.perf_counter`."""

    is_open: bool

    @property
    def started(self) -> float: ...
    def details(self) -> RequestDetails: ...


class SlowRequests:
    """Looks at the active requests each second. That costs a comparison for each, and nothing where they are served."""

    def __init__(
        self,
        active: Callable[[], Iterable[ActiveRequest]],
        threshold: float = SLOW_REQUEST_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._active = active
        self._threshold = threshold
        self._clock = clock
        self._seen: set[ActiveRequest] = set()
        self._minute_began = clock()
        self._taken = self._skipped = 0

    def look(self) -> float:
        """Log the requests that have become slow since the last look."""
        now = self._clock()
        self._begin_minute(now)
        slow = {each for each in self._active() if now - each.started >= self._threshold}
        for request in sorted(slow - self._seen, key=lambda each: each.started):
            self._notice(request, now)
        self._seen = slow
        return _LOOK_INTERVAL

    def _begin_minute(self, now: float) -> None:
        if now - self._minute_began < 60:  # noqa: PLR2004
            return
        if self._skipped:
            _log.warning(
                "%d more requests took longer than %.0f s within a minute. Their stacks were not taken.",
                self._skipped,
                self._threshold,
                extra={semconv.COMPONENT: _COMPONENT},
            )
        self._minute_began, self._taken, self._skipped = now, 0, 0

    def _notice(self, request: ActiveRequest, now: float) -> None:
        if not request.is_open or _is_event_stream((details := request.details()).headers):
            return
        if self._taken >= MAX_PER_MINUTE:
            self._skipped += 1
            return
        self._taken += 1
        _log_slow(details, now - request.started)


@failsafe
def _log_slow(details: RequestDetails, seconds: float) -> None:
    stack = capture(details.work)
    token = context.attach(details.trace_context)  # the record then has the trace id of the request
    try:
        _log.handle(_record(details, seconds, stack))
    finally:
        context.detach(token)


def _record(details: RequestDetails, seconds: float, stack: CapturedStack) -> logging.LogRecord:
    where = ", called from ".join(stack.own) or "no frame is of the application's own code"
    text = "%s %s has been running for %.0f s: %s"
    arguments = (details.method, details.route or "(no route)", seconds, where)
    extra: Mapping[str, object] = {semconv.COMPONENT: _COMPONENT, semconv.HTTP_ROUTE: details.route}
    line, function = _record.__code__.co_firstlineno, _record.__name__
    return _log.makeRecord(
        _log.name, logging.WARNING, __file__, line, text, arguments, None, function, extra, stack.text
    )


def _is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the response is meant to last."""
    return any(name.lower() == _CONTENT_TYPE and value.startswith(_EVENT_STREAM) for name, value in headers)
