"""Groups the spans and lines of each trace until it is known whether the trace is kept."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from telemetry.logs.background.record_copy import size_of
from telemetry.recent.drops import LOG, SIZE, SPAN, UNFINISHED, Drops
from telemetry.recent.keeping.recent_queue import Item, LoggedRecord
from telemetry.recent.keeping.span_intake import size_of_span
from telemetry.recent.keeping.trace_choice import TraceChoice, TraceEnd
from telemetry.recent.keeping.trace_root import TraceRoot, decides, root_of, seconds_of
from telemetry.recent.schema import FAILED, KEPT_AS

MAX_SPANS: Final = 500
_KEPT_FREE: Final = 50  # of them, for spans that failed
MAX_LINES: Final = 200
MAX_PENDING: Final = 1000
MAX_PENDING_BYTES: Final = 16 * 1024 * 1024
MAX_DECIDED: Final = 10_000


@dataclass(slots=True)
class TraceSegment:
    """A part of a trace. `root` is what is known of the trace by it; None for a part that came later than its root."""

    trace_id: int
    root: TraceRoot | None = None
    root_span: ReadableSpan | None = None
    kept_as: str = ""
    spans: list[ReadableSpan] = field(default_factory=list)
    lines: list[LoggedRecord] = field(default_factory=list)
    left_out: int = 0
    bytes: int = 0

    def add(self, span: ReadableSpan, limit: int) -> int:
        """Add a span, if there is room. Returns about how many bytes that takes."""
        is_failed = span.status.status_code is StatusCode.ERROR
        if len(self.spans) >= (limit if is_failed else limit - _KEPT_FREE):
            self.left_out += 1
            return 0
        self.spans.append(span)
        size = size_of_span(span)
        self.bytes += size
        return size


class _Decision(NamedTuple):
    kept_as: str | None
    spans: int


class PendingTraces:
    """For one thread. `choice` says of each trace whether it is kept."""

    def __init__(self, choice: Callable[[TraceEnd], str | None], drops: Drops) -> None:
        self._choose = choice
        self._drops = drops
        self._pending: OrderedDict[int, TraceSegment] = OrderedDict()
        self._decided: OrderedDict[int, _Decision] = OrderedDict()
        self._late: dict[int, TraceSegment] = {}
        self._bytes = 0

    @classmethod
    def of(cls, drops: Drops) -> "PendingTraces":
        return cls(TraceChoice(drops).choose, drops)

    def add(self, items: list[Item]) -> Iterator[TraceSegment | LoggedRecord]:
        """Take spans and lines. Returns what is to be written now."""
        for item in items:
            yield from self._add_line(item) if isinstance(item, LoggedRecord) else self._add_span(item)
        yield from self._take_late()
        yield from self._evict(MAX_PENDING, MAX_PENDING_BYTES)

    def flush(self) -> Iterator[TraceSegment | LoggedRecord]:
        """At the end of the process: what failed is kept, although its trace has not ended."""
        yield from self._evict(0, 0)

    def _add_span(self, span: ReadableSpan) -> Iterator[TraceSegment | LoggedRecord]:
        if (context := span.get_span_context()) is None:
            return
        trace_id = context.trace_id
        if decides(span):
            yield from self._decide(span, trace_id)
        elif (decided := self._decided.get(trace_id)) is not None and decided.kept_as:
            late = self._late.setdefault(trace_id, TraceSegment(trace_id, kept_as=decided.kept_as))
            late.add(span, MAX_SPANS - decided.spans)
        else:
            self._bytes += self._segment(trace_id).add(span, MAX_SPANS)

    def _take_late(self) -> Iterator[TraceSegment]:
        """What came after the roots of traces that are kept."""
        late, self._late = self._late, {}
        for trace_id, segment in late.items():
            if (decided := self._decided.get(trace_id)) is not None:
                self._decided[trace_id] = decided._replace(spans=decided.spans + len(segment.spans))
            yield segment

    def _add_line(self, line: LoggedRecord) -> Iterator[LoggedRecord]:
        decided = self._decided.get(line.trace_id)
        if line.record.levelno >= logging.WARNING or (decided is not None and decided.kept_as == FAILED):
            yield line
        elif len((segment := self._segment(line.trace_id)).lines) < MAX_LINES:
            segment.lines.append(line)
            size = size_of(line.record)
            segment.bytes += size
            self._bytes += size
        else:
            self._drops.count(LOG, SIZE)

    def _decide(self, span: ReadableSpan, trace_id: int) -> Iterator[TraceSegment | LoggedRecord]:
        """The root itself is kept in any case: without it nobody understands the rest."""
        segment = self._pending.pop(trace_id, None) or TraceSegment(trace_id)
        self._bytes -= segment.bytes
        known = self._decided.get(trace_id, _Decision(None, 0))
        _cut(segment, max(0, MAX_SPANS - 1 - known.spans))
        segment.root, segment.root_span = root_of(span), span
        segment.spans.append(span)
        end = _end_of(segment.root, seconds_of(span), len(segment.spans))
        kept_as = _more_important(known.kept_as, self._choose(end))
        self._remember(trace_id, _Decision(kept_as, known.spans + len(segment.spans) if kept_as else 0))
        if kept_as:
            segment.kept_as = kept_as
            yield segment
        if kept_as == FAILED:
            yield from segment.lines

    def _segment(self, trace_id: int) -> TraceSegment:
        segment = self._pending.get(trace_id)
        if segment is None:
            segment = self._pending[trace_id] = TraceSegment(trace_id)
        self._pending.move_to_end(trace_id)
        return segment

    def _remember(self, trace_id: int, decided: _Decision) -> None:
        self._decided[trace_id] = decided
        self._decided.move_to_end(trace_id)
        if len(self._decided) > MAX_DECIDED:
            self._decided.popitem(last=False)

    def _evict(self, number: int, size: int) -> Iterator[TraceSegment | LoggedRecord]:
        """Give up waiting for the oldest traces. Of those, what failed is kept."""
        while len(self._pending) > number or self._bytes > size:
            trace_id, segment = self._pending.popitem(last=False)
            self._bytes -= segment.bytes
            failed = next((each for each in segment.spans if each.status.status_code is StatusCode.ERROR), None)
            if failed is None:
                self._count_unfinished(segment)
                continue
            segment.kept_as, segment.root_span = FAILED, failed
            segment.root = root_of(failed)
            self._remember(trace_id, _Decision(FAILED, len(segment.spans)))
            yield segment
            yield from segment.lines

    def _count_unfinished(self, segment: TraceSegment) -> None:
        if segment.trace_id not in self._decided:  # else they are the late spans of a trace that is not kept
            self._drops.count(SPAN, UNFINISHED, len(segment.spans))
            self._drops.count(LOG, UNFINISHED, len(segment.lines))


def _cut(segment: TraceSegment, limit: int) -> None:
    segment.left_out += max(0, len(segment.spans) - limit)
    del segment.spans[limit:]


def _end_of(root: TraceRoot, seconds: float, spans: int) -> TraceEnd:
    return TraceEnd(
        f"{root.kind} {root.method} {root.name}", seconds, root.failed, root.kind == "job", spans, root.kind == "other"
    )


def _more_important(one: str | None, other: str | None) -> str | None:
    found = [each for each in KEPT_AS if each in {one, other}]
    return found[0] if found else None
