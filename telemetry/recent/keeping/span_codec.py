"""Encodes the spans of a trace, without secrets and cut to what is kept, and decodes them."""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from telemetry.json_safe import json_safe
from telemetry.redaction.policy import redact_attributes, redact_value
from telemetry.redaction.shortening import beginning, beginning_and_end

MAX_SPAN: Final = 8000
"""Characters of a span, about."""
MAX_NAME: Final = 300
MAX_VALUE: Final = 2000
_MAX_STACK: Final = 4000
_MAX_ITEMS: Final = 50
_MAX_EVENTS: Final = 20
_MAX_LINKS: Final = 10
_ITEM: Final = 8  # characters that an item takes, besides its texts
_LEVEL: Final = 3
_STACK: Final = "exception.stacktrace"
Fields = dict[str, Any]


def encode(spans: Sequence[ReadableSpan], left_out: int) -> bytes:
    """What a part of a trace holds."""
    found = {"spans": [span_fields(span) for span in spans], "left_out": left_out}
    return zlib.compress(json.dumps(found, separators=(",", ":"), default=str).encode(), _LEVEL)


def decode(body: bytes) -> tuple[list[Fields], int]:
    """The spans of a part as `span_fields` made them, and how many more were left out."""
    found = json.loads(zlib.decompress(body))
    return found["spans"], found["left_out"]


def span_fields(span: ReadableSpan) -> Fields:
    """Times are in nanoseconds since 1970. What is empty is left out."""
    room = _Room(MAX_SPAN)
    context, parent, scope = span.get_span_context(), span.parent, span.instrumentation_scope
    fields = {
        "id": format_span_id(context.span_id) if context else "",
        "parent": format_span_id(parent.span_id) if parent else "",
        "name": redact_value(beginning(span.name, MAX_NAME)),
        "kind": span.kind.name.lower(),
        "start": span.start_time or 0,
        "end": span.end_time or 0,
        "status": "" if span.status.status_code is StatusCode.UNSET else span.status.status_code.name.lower(),
        "description": redact_value(beginning(span.status.description or "", MAX_VALUE)),
        "attributes": room.attributes(span.attributes or {}),
        "events": [_event(each, room) for each in span.events[:_MAX_EVENTS]],
        "links": [format_trace_id(each.context.trace_id) for each in span.links[:_MAX_LINKS]],
        "scope": redact_value(beginning(scope.name, MAX_NAME)) if scope else "",
        "process": os.getpid(),
        "cut": room.left_out + max(0, len(span.events) - _MAX_EVENTS),
    }
    return {name: value for name, value in fields.items() if value or name in {"id", "name", "start", "end"}}


def _event(event: Event, room: "_Room") -> Fields:
    name = redact_value(beginning(event.name, MAX_NAME))
    return {"name": name, "at": event.timestamp, "attributes": room.attributes(event.attributes or {})}


class _Room:
    """The characters that are left for the attributes of a span and of its events.

    Attributes:
        left_out: how many attributes found no room.
    """

    def __init__(self, characters: int) -> None:
        self._left = characters
        self.left_out = 0

    def attributes(self, attributes: Mapping[str, Any]) -> Fields:
        """Values are cut before they are redacted: a text of any length must not take long."""
        cut = {name: _cut(name, value) for name, value in attributes.items()}
        kept = {name: value for name, value in cut.items() if self._takes(name, value)}
        redacted = json_safe(redact_attributes(kept))
        return redacted if isinstance(redacted, dict) else {}

    def _takes(self, name: str, value: Any) -> bool:
        size = _ITEM + len(name) + _length(value)
        if size > self._left:
            self.left_out += 1
            return False
        self._left -= size
        return True


def _cut(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return beginning_and_end(value, _MAX_STACK) if name == _STACK else beginning(value, MAX_VALUE)
    if isinstance(value, bytes):
        return value[:MAX_VALUE]
    if isinstance(value, Sequence):
        return [_cut(name, each) for each in value[:_MAX_ITEMS]]
    if isinstance(value, Mapping):
        return beginning(str(value), MAX_VALUE)
    return value


def _length(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return sum(_ITEM + _length(each) for each in value) if isinstance(value, list) else _ITEM
