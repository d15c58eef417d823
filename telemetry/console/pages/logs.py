"""The log lines that are kept: by level, component, text and trace; the newest page stays live."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from telemetry.console.pages.figures import LEVEL_COLOURS
from telemetry.console.parts import Part, read_part
from telemetry.console.view import View
from telemetry.recent.log_queries import LogLine

LEVELS: Final = {"INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
LIMIT: Final = 100
FOLLOW_SECONDS: Final = 2
_LAST_ID: Final = 2**62


@dataclass(frozen=True, slots=True)
class FoundLines:
    """`kept` are the ids of those traces that are kept; `more` is the id before which the next lines are."""

    lines: list[LogLine]
    components: list[str]
    kept: Collection[str]
    oldest: float | None
    more: int | None


_NOTHING: Final = FoundLines([], [], (), None, None)


def read(view: View) -> dict[str, Any]:
    before = view.whole_number("before", 0, most=_LAST_ID) or None
    filters = {
        "level": LEVELS.get(view.choice("level", tuple(LEVELS))),
        "component": view.text("component") or None,
        "text": view.text("text") or None,
        "trace_id": view.trace_id("trace") or None,
    }
    found: Part[FoundLines] = read_part("Log lines", lambda: _find(view, filters, before), _NOTHING)
    is_live = view.flag("follow", default=True) and before is None
    return {
        "found": found,
        "is_filtered": any(value is not None for value in filters.values()),
        "is_live": is_live,
        "before": before,
        "levels": tuple(LEVELS),
        "colours": LEVEL_COLOURS,
        "refresh_seconds": FOLLOW_SECONDS if is_live else 0,
    }


def _find(view: View, filters: dict[str, Any], before: int | None) -> FoundLines:
    recent = view.telemetry.recent
    lines = recent.logs.search(**filters, before=before, limit=LIMIT + 1)
    more = min(line.id for line in lines[:LIMIT]) if len(lines) > LIMIT else None
    lines = lines[:LIMIT]
    kept = recent.traces.kept({line.trace_id for line in lines if line.trace_id})
    return FoundLines(lines, recent.logs.components(), kept, recent.logs.oldest(), more)
