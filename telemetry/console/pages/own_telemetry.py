"""Telemetry: what the telemetry itself holds, drops, sends and costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from telemetry.console.pages.figures import colours_by_name, joined, rate_chart
from telemetry.console.pages.live import live_series, live_value
from telemetry.console.pages.taken_profiles import read_profiles
from telemetry.console.parts import Part, read_part
from telemetry.console.plots.chart import Chart, wide
from telemetry.console.view import View
from telemetry.metrics.families import Family
from telemetry.recent.point_queries import PointQueries, SeriesPoints
from telemetry.recent.points.plotted import COLLECTED, DROPPED
from telemetry.sdk import exporters

MAX_INSTRUMENTS: Final = 15
_ERRORS: Final = "errors_total"
_EXPORTED: Final = "telemetry_exported_total"
_QUEUES: Final = {"TRACES": "spans", "LOGS": "logs"}
"""The queues of the signals that have one."""
_QUEUE_METRICS: Final = {
    "size": "telemetry_queue_size",
    "capacity": "telemetry_queue_capacity",
    "age": "telemetry_queue_oldest_age_seconds",
    "spooled": "telemetry_spool_bytes",
}
"""What is measured of queues, by the attributes of `QueueRow`."""
_MANY: Final = 0.8
"""The share of its limit from which an instrument, or a queue, is marked."""


@dataclass(frozen=True, slots=True)
class InstrumentRow:
    """The label sets of an instrument in this process, and their limit."""

    name: str
    number: int
    limit: int

    @property
    def is_near_limit(self) -> bool:
        return self.number >= _MANY * self.limit


@dataclass(slots=True)
class QueueRow:
    """A queue of all processes: None for what it does not have.

    Attributes:
        age: for how long its oldest item has waited, in seconds.
        spooled: bytes on the disk.
        dropped: how many items in the window, by reason.
    """

    name: str
    size: float | None = None
    capacity: float | None = None
    age: float | None = None
    spooled: float | None = None
    dropped: dict[str, float] = field(default_factory=dict)

    @property
    def is_filling(self) -> bool:
        return bool(self.capacity) and (self.size or 0) >= _MANY * (self.capacity or 0)


@dataclass(frozen=True, slots=True)
class ExporterRow:
    """What a signal is sent to.

    Attributes:
        signal: `traces`, `metrics` or `logs`.
        names: of its exporters; empty if there are none.
        host: of the endpoint; empty for the exporter's default.
        sent: how many items were accepted in the window; None where that is not counted.
        dropped: how many were dropped on the way, by reason.
    """

    signal: str
    names: Sequence[str]
    host: str
    sent: float | None
    dropped: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered for the console: times in Unix seconds, and the cost of a collection in seconds.

    Attributes:
        dropped: how many items in the window, by queue and reason.
        exported: how many items in the window, by queue.
    """

    newest_sample: float | None = None
    oldest_trace: float | None = None
    collection: float | None = None
    dropped: Mapping[tuple[str, str], float] = field(default_factory=dict)
    exported: Mapping[str, float] = field(default_factory=dict)
    charts: Sequence[Chart] = ()


def read(view: View) -> dict[str, Any]:
    families = view.telemetry.metrics.membership.collect()
    kept: Part[Kept] = read_part("Figures", lambda: _kept(view), Kept())
    queues = _queues(families, kept.value.dropped)
    return {
        "kept": kept,
        "series": sum(len(family.series) + len(family.histograms) for family in families),
        "instruments": _instruments(view),
        "most": MAX_INSTRUMENTS,
        "is_incomplete": bool(live_value(families, "telemetry_page_incomplete")),
        "queues": queues,
        "exporters": _exporters(kept.value, queues),
        "bytes": live_value(families, "telemetry_recent_bytes"),
        "traces": live_value(families, "telemetry_recent_traces"),
        "forgotten": _forgotten(families),
        **read_profiles(view),
    }


def _kept(view: View) -> Kept:
    recent, window = view.telemetry.recent, (view.since, view.now)
    collected = recent.points.totals(COLLECTED, *window)
    dropped = recent.points.totals(DROPPED, *window, by=("queue", "reason"))
    return Kept(
        recent.points.newest_sample(),
        recent.traces.oldest(),
        collected[0].mean if collected else None,
        {(total.labels["queue"], total.labels["reason"]): total.value for total in dropped},
        {total.labels["queue"]: total.value for total in recent.points.totals(_EXPORTED, *window, by=("queue",))},
        _charts(view, recent.points),
    )


def _charts(view: View, queries: PointQueries) -> list[Chart]:
    return [
        _chart(view, queries, "Errors logged", _ERRORS, "component"),
        _chart(view, queries, "Telemetry dropped", DROPPED, "queue"),
    ]


def _chart(view: View, queries: PointQueries, title: str, family: str, label: str) -> Chart:
    def name_of(points: SeriesPoints) -> str:
        return points.labels[label] or "other"

    series = joined(queries.over_time(family, view.since, view.now, view.window.step, by=(label,)), name_of)
    (chart,) = wide([rate_chart(view, title, series, colours_by_name(series))])
    return replace(chart, empty="None in this window.")


def _instruments(view: View) -> list[InstrumentRow]:
    """Those with the most label sets in this process, the most first."""
    provider = view.telemetry.metrics.provider
    numbers = sorted(provider.label_sets().items(), key=lambda each: (-each[1], each[0]))
    return [InstrumentRow(name, number, provider.limit) for name, number in numbers if number][:MAX_INSTRUMENTS]


def _queues(families: Iterable[Family], dropped: Mapping[tuple[str, str], float]) -> list[QueueRow]:
    rows: dict[str, QueueRow] = {}
    for attribute, metric in _QUEUE_METRICS.items():
        for found in live_series(families, metric):
            name = found.labels.get("queue", "")
            setattr(rows.setdefault(name, QueueRow(name)), attribute, found.value)
    for (name, reason), number in dropped.items():
        rows.setdefault(name, QueueRow(name)).dropped[reason] = number
    return [rows[name] for name in sorted(rows)]


def _exporters(kept: Kept, queues: Sequence[QueueRow]) -> list[ExporterRow]:
    dropped = {row.name: row.dropped for row in queues}
    return [
        ExporterRow(
            signal.lower(),
            exporters.exporter_names(signal),
            urlsplit(exporters.endpoint(signal)).hostname or "",
            kept.exported.get(_QUEUES.get(signal, "")),
            dropped.get(_QUEUES.get(signal, ""), {}),
        )
        for signal in exporters.SIGNALS
    ]


def _forgotten(families: Iterable[Family]) -> list[tuple[str, float]]:
    """What was not remembered since the start, by kind and reason."""
    found = live_series(families, "telemetry_recent_dropped_total")
    return [(f"{each.labels.get('kind')}, {each.labels.get('reason')}", each.value) for each in found if each.value]
