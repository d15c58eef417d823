"""Reads the totals of the series that are kept from the metric families of all workers."""

import json
import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from telemetry import semconv
from telemetry.metrics.families import Family
from telemetry.metrics.histogram import HistogramValue
from telemetry.metrics.labels import OVERFLOW_LABELS
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.vocabulary import VOCABULARY
from telemetry.recent.points.amounts import Amount, SeriesKey
from telemetry.recent.points.label_reader import Labels, ReadLabels, encoded, read_labels, reader_by
from telemetry.recent.points.percentiles import few_bounds
from telemetry.recent.points.plotted import ENDPOINT, Plotted, summed_name, with_mapped

MAX_SERIES: Final = 1000
"""Of one family. What has other labels is added as one series."""
_MAX_REMEMBERED: Final = 20_000
Totals = dict[SeriesKey, Amount]
_Series = dict[SeriesKey, tuple[Labels, Amount]]


@dataclass(slots=True)
class _Source:
    """Where a plotted metric is found: a family by its name, or by its instrument."""

    plotted: Plotted
    read: ReadLabels
    _known: dict[str, Labels | None] = field(default_factory=dict)

    def labels(self, rendered: str) -> Labels | None:
        """The kept labels of a series."""
        if rendered in self._known:
            return self._known[rendered]
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[rendered] = found = self._kept(rendered)
        return found

    def _kept(self, rendered: str) -> Labels | None:
        if rendered == OVERFLOW_LABELS:
            return dict.fromkeys(self.plotted.labels, semconv.OTHER)
        found = self.read(rendered)
        return None if found is None else {name: found.get(name, "") for name in self.plotted.labels}


class FamilyTotals:
    """For one process: it remembers how labels read."""

    def __init__(
        self, mappings: Sequence[MetricMapping] = (), is_own: Callable[[str], bool] = lambda _endpoint: False
    ) -> None:
        """Prepare for the metrics of an application.

        Args:
            mappings: its own, besides the vocabulary.
            is_own: whether a route is of the console itself, and so in no sum.
        """
        self._is_own = is_own
        self._by_name: dict[str, _Source] = {}
        self._by_instrument: dict[str, list[_Source]] = {}
        by_name = {plotted.family: plotted for plotted in with_mapped(mappings)}
        for name, plotted in by_name.items():
            self._by_name[name] = _Source(plotted, read_labels)
        for mapping in (*VOCABULARY, *mappings):
            if (found := by_name.get(mapping.name)) is not None and mapping.kind != "gauge":
                self._by_instrument.setdefault(mapping.source, []).append(_Source(found, reader_by(mapping)))

    def read(self, families: Iterable[Family], known: Container[SeriesKey] = ()) -> Totals:
        """The totals of all series that are kept, and their sums.

        Args:
            families: of all workers.
            known: the series that were kept so far, and are kept on.
        """
        found: dict[Plotted, _Series] = {}
        for family in families:
            for source in self._sources(family):
                _add(found.setdefault(source.plotted, {}), source, family)
        totals: Totals = {}
        for plotted, series in found.items():
            totals.update(_limited(plotted, series, known))
            for names in plotted.summed:
                sums = Plotted(summed_name(plotted.family, names), names)
                totals.update(_limited(sums, self._summed(sums, series), known))
        return totals

    def _sources(self, family: Family) -> list[_Source]:
        if family.kind == "gauge":
            return []
        if (source := self._by_name.get(family.name)) is not None:
            return [source]
        return self._by_instrument.get(family.source, []) if family.source else []

    def _summed(self, sums: Plotted, series: _Series) -> _Series:
        found: _Series = {}
        for key, (labels, amount) in series.items():
            if ENDPOINT in sums.labels or not self._is_own(labels.get(ENDPOINT, "")):
                kept = {name: labels[name] for name in sums.labels}
                _add_to(found, SeriesKey(sums.family, encoded(kept), key.bounds), kept, amount)
        return found


def _add(series: _Series, source: _Source, family: Family) -> None:
    for rendered, amount, bounds in _amounts(family):
        if (labels := source.labels(rendered)) is not None:
            _add_to(series, SeriesKey(source.plotted.family, encoded(labels), bounds), labels, amount)


def _add_to(series: _Series, key: SeriesKey, labels: Labels, amount: Amount) -> None:
    known = series.get(key)
    series[key] = (labels, amount if known is None else known[1].plus(amount))


def _amounts(family: Family) -> Iterator[tuple[str, Amount, str]]:
    for rendered, value in family.series.items():
        if math.isfinite(value):
            yield rendered, Amount(float(value)), ""
    for rendered, histogram in family.histograms.items():
        yield rendered, *_of_histogram(histogram)


def _of_histogram(histogram: HistogramValue) -> tuple[Amount, str]:
    bounds = few_bounds(histogram.bounds)
    counts = tuple(histogram.rebucketed(bounds))
    total = float(histogram.sum) if math.isfinite(histogram.sum) else 0.0
    return Amount(sum(counts), total, counts), json.dumps(bounds)


def _limited(plotted: Plotted, series: _Series, known: Container[SeriesKey]) -> Totals:
    """The series that are kept already, new ones up to the limit, and one that has the rest."""
    kept = [key for key in series if key in known]
    kept += [key for key in series if key not in known][: max(0, MAX_SERIES - len(kept))]
    totals = {key: series[key][1] for key in kept}
    other = encoded(dict.fromkeys(plotted.labels, semconv.OTHER))
    for key in series.keys() - totals.keys() if len(kept) < len(series) else ():
        _count(totals, SeriesKey(plotted.family, other, key.bounds), series[key][1])
    return totals


def _count(totals: Totals, key: SeriesKey, amount: Amount) -> None:
    known = totals.get(key)
    totals[key] = amount if known is None else known.plus(amount)
