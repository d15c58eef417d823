"""Puts the spans of a trace together: a tree, with the seconds since its beginning."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from telemetry.recent.keeping.span_codec import Fields, decode

_MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """`offset` are the seconds since the trace has begun."""

    name: str
    offset: float
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """A span in its place in the tree.

    Attributes:
        depth: how many spans it is in.
        offset: seconds since the trace has begun.
        status: ok, error, or empty.
        left_out: how many of its attributes and events are not kept.
        process: the pid.
    """

    span_id: str
    parent_id: str
    depth: int
    name: str
    kind: str
    offset: float
    seconds: float
    status: str
    description: str
    attributes: Mapping[str, Any]
    events: tuple[SpanEvent, ...]
    links: tuple[str, ...]
    scope: str
    process: int
    left_out: int


class Tree(NamedTuple):
    """The spans in the order of the tree, how many are not kept, and when it began and how long it took."""

    spans: tuple[TraceSpan, ...]
    left_out: int
    started: float
    seconds: float


def tree_of(bodies: Sequence[bytes]) -> Tree:
    """Put the parts of a trace together. A span whose parent is not kept is at the top."""
    parts = [decode(body) for body in bodies]
    spans = {span["id"]: span for found, _ in parts for span in found}
    begin = min((span["start"] for span in spans.values()), default=0)
    end = max((span["end"] for span in spans.values()), default=0)
    ordered = tuple(_span(span, depth, begin) for span, depth in _in_order(spans))
    return Tree(ordered, sum(left_out for _, left_out in parts), begin / 1e9, max(0, end - begin) / 1e9)


def _in_order(spans: Mapping[str, Fields]) -> Iterator[tuple[Fields, int]]:
    """Each span, with its depth, before those within it. Spans that are each other's parents come last."""
    children = defaultdict(list)
    for span in sorted(spans.values(), key=lambda each: each["start"], reverse=True):
        parent = span.get("parent", "")
        children[parent if parent in spans else ""].append(span)
    left, seen = [(span, 0) for span in children[""]], set()
    while left:
        span, depth = left.pop()
        seen.add(span["id"])
        yield span, depth
        left.extend((child, min(depth + 1, _MAX_DEPTH)) for child in children[span["id"]])
    yield from ((span, 0) for span in spans.values() if span["id"] not in seen)


def _span(fields: Fields, depth: int, begin: int) -> TraceSpan:
    return TraceSpan(
        span_id=fields["id"],
        parent_id=fields.get("parent", ""),
        depth=depth,
        name=fields["name"],
        kind=fields.get("kind", ""),
        offset=(fields["start"] - begin) / 1e9,
        seconds=max(0, fields["end"] - fields["start"]) / 1e9,
        status=fields.get("status", ""),
        description=fields.get("description", ""),
        attributes=fields.get("attributes", {}),
        events=tuple(_event(each, begin) for each in fields.get("events", ())),
        links=tuple(fields.get("links", ())),
        scope=fields.get("scope", ""),
        process=fields.get("process", 0),
        left_out=fields.get("cut", 0),
    )


def _event(fields: Fields, begin: int) -> SpanEvent:
    return SpanEvent(fields["name"], (fields["at"] - begin) / 1e9, fields["attributes"])
