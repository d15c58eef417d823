"""What the metrics of all workers say at this moment."""

from collections.abc import Iterable
from typing import NamedTuple

from telemetry.metrics.families import Family
from telemetry.recent.points.label_reader import Labels, read_labels


class LiveSeries(NamedTuple):
    """A series of a counter or a gauge."""

    labels: Labels
    value: float


def live_series(families: Iterable[Family], name: str) -> list[LiveSeries]:
    """The series of a metric by its name on `/metrics`; none where it is not measured."""
    return [
        LiveSeries(read_labels(rendered), float(value))
        for family in families
        if family.name == name
        for rendered, value in family.series.items()
    ]


def live_value(families: Iterable[Family], name: str) -> float | None:
    """The sum of a metric's series; None where it is not measured."""
    found = live_series(families, name)
    return sum(each.value for each in found) if found else None
