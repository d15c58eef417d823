"""Encodes metric families in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0.

It writes the numbers directly. The usual exporter spends most of its time on building an object for each line.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number
from telemetry.metrics.negotiation import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE

_go_number: Callable[[float], str] = floatToGoString


def encode(families: Iterable[Family], content_type: str = TEXT_CONTENT_TYPE) -> bytes:
    """Encode families in the format of a content type. Exemplars are in OpenMetrics only."""
    openmetrics = content_type == OPENMETRICS_CONTENT_TYPE
    lines: list[str] = []
    for family in families:
        name = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
        lines.append(f"# HELP {name} {_escape_help(family.help)}\n# TYPE {name} {family.kind}\n")
        lines.extend(_samples(family, exemplars=openmetrics))
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode(errors="replace")  # a label such as a file's name may not be valid UTF-8


def _samples(family: Family, *, exemplars: bool) -> Iterator[str]:
    name = family.name
    if family.kind == "histogram":
        for labels, histogram in family.histograms.items():
            yield _histogram(name, labels, histogram, exemplars=exemplars)
        return
    for labels, value in family.series.items():
        yield f"{name}{{{labels}}} {format_number(value)}\n" if labels else f"{name} {format_number(value)}\n"


def _histogram(name: str, labels: str, histogram: HistogramValue, *, exemplars: bool) -> str:
    prefix = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
    cumulative = list(accumulate(histogram.counts))
    lines = [f"{prefix}{bound}}} {count}\n" for bound, count in zip(_bounds(histogram.bounds), cumulative, strict=True)]
    if exemplars:
        for bucket, exemplar in histogram.exemplars.items():
            lines[bucket] = f"{lines[bucket][:-1]} {_exemplar(exemplar)}\n"
    braces = f"{{{labels}}}" if labels else ""
    lines.append(f"{name}_sum{braces} {format_number(histogram.sum)}\n{name}_count{braces} {cumulative[-1]}\n")
    return "".join(lines)


def _exemplar(exemplar: Exemplar) -> str:
    trace = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f"# {{{trace}}} {format_number(exemplar.value)} {exemplar.timestamp:.3f}"


@lru_cache(maxsize=256)
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """The `le` labels, formatted as Prometheus does and OpenMetrics requires: `le="1.0"`, `le="1e+06"`."""
    return tuple(f'le="{_go_number(bound)}"' for bound in (*bounds, math.inf))


def format_number(value: Number) -> str:
    """A sample's value, without loss of precision."""
    if isinstance(value, int):
        return str(int(value))  # True is 1
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
