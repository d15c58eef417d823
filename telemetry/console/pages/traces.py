"""The traces that are kept: found by route or job, status, duration, time and id."""

import re
from dataclasses import dataclass
from typing import Any, Final

from telemetry.console.parts import Part, read_part
from telemetry.console.view import View
from telemetry.recent.trace_queries import TraceSummary

KINDS: Final = ("request", "job", "other")
OUTCOMES: Final = ("failed", "ok")
LIMIT: Final = 50
REASONS: Final = {
    "failed": "failed",
    "slow": "slow",
    "job": "job run",
    "sample": "sample",
}
_TIME: Final = re.compile(r"[0-9]{1,11}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class FoundTraces:
    """`more` is the time before which the next ones are; None if there are none."""

    traces: list[TraceSummary]
    names: list[str]
    oldest: float | None
    more: float | None

    @property
    def longest(self) -> float:
        return max((each.seconds for each in self.traces), default=0.0)


_NOTHING: Final = FoundTraces([], [], None, None)


def read(view: View) -> dict[str, Any]:
    filters = _filters(view)
    found: Part[FoundTraces] = read_part("Traces", lambda: _find(view, filters), _NOTHING)
    settings = view.telemetry.settings
    return {
        "found": found,
        "is_filtered": any(value is not None for name, value in filters.items() if name not in {"since", "before"}),
        "before": filters["before"],
        "kinds": KINDS,
        "outcomes": OUTCOMES,
        "colour": colour,
        "reasons": REASONS,
        "share": settings.otel_traces_sampler_arg if "ratio" in settings.otel_traces_sampler else None,
    }


def colour(trace: TraceSummary) -> str:
    """`bad` for a failure, `warn` for what the client did wrong."""
    if trace.failed:
        return "bad"
    return "warn" if trace.kind == "request" and trace.status[:1] == "4" else "ok"


def _filters(view: View) -> dict[str, Any]:
    outcome, trace_id = view.choice("outcome", OUTCOMES), view.trace_id("id")
    return {
        "name": view.text("name") or None,
        "kind": view.choice("kind", KINDS) or None,
        "status": view.text("status") or None,
        "failed": None if not outcome else outcome == "failed",
        "min_seconds": view.seconds("slower"),
        "trace_id": trace_id or None,
        "since": None if trace_id else view.since,
        "before": _before(view),
    }


def _before(view: View) -> float | None:
    given = view.text("before")
    if not given or _TIME.fullmatch(given):
        return float(given) if given else None
    view.notes["before"] = f"{given!r} is no time, in seconds since 1970: not used."
    return None


def _find(view: View, filters: dict[str, Any]) -> FoundTraces:
    queries = view.telemetry.recent.traces
    traces = queries.search(**filters, limit=LIMIT + 1)
    more = traces[LIMIT - 1].started if len(traces) > LIMIT else None
    return FoundTraces(traces[:LIMIT], queries.names(), queries.oldest(), more)
