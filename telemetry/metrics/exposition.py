"""Encodes metric families in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0.

It writes the numbers directly. The usual exporter spends most of its time on building an object for each line.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final

from prometheus_client.utils import floatToGoString

from telemetry.json_safe import valid_unicode
from telemetry.metrics.distinct_names import with_distinct_names
from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number
from telemetry.metrics.negotiation import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE

_go_number: Callable[[float], str] = floatToGoString
_PREFIX: Final = "\0"


def encode(families: Iterable[Family], content_type: str = TEXT_CONTENT_TYPE) -> bytes:
    """Encode families in the format of a content type. Exemplars are in OpenMetrics only."""
    openmetrics = content_type == OPENMETRICS_CONTENT_TYPE
    chunks: list[bytes] = []
    for family in with_distinct_names(families):
        name, kind = _metadata_in_openmetrics(family) if openmetrics else (family.name, family.kind)
        help_text = _escape_help(family.help, quotes=openmetrics)
        chunks.append(f"# HELP {name} {help_text}\n# TYPE {name} {kind}\n".encode(errors="replace"))
        # A label's value may be one that another version of the service rendered.
        chunks.extend([each.encode(errors="replace") for each in _samples(family, exemplars=openmetrics)])
    if openmetrics:
        chunks.append(b"# EOF\n")
    return b"".join(chunks)


def _metadata_in_openmetrics(family: Family) -> tuple[str, str]:
    """A counter's name is without `_total`. What has no `_total` cannot be a counter there."""
    if family.kind != "counter":
        return family.name, family.kind
    name = family.name.removesuffix("_total")
    return name, "counter" if name != family.name else "unknown"


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
    cumulative = tuple(accumulate(histogram.counts))
    buckets = (_template(histogram.bounds) % cumulative).replace(_PREFIX, prefix)
    if exemplars and histogram.exemplars:
        buckets = _with_exemplars(buckets, histogram)
    braces = f"{{{labels}}}" if labels else ""
    return f"{buckets}{name}_sum{braces} {format_number(histogram.sum)}\n{name}_count{braces} {cumulative[-1]}\n"


def _with_exemplars(buckets: str, histogram: HistogramValue) -> str:
    lines = buckets.split("\n")
    for bucket, exemplar in histogram.exemplars.items():
        lines[bucket] = f"{lines[bucket]} {_exemplar(exemplar)}"
    return "\n".join(lines)


def _exemplar(exemplar: Exemplar) -> str:
    trace = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f"# {{{trace}}} {format_number(exemplar.value)} {exemplar.timestamp:.3f}"


@lru_cache(maxsize=256)
def _template(bounds: tuple[float, ...]) -> str:
    """The bucket lines of a histogram, whose counts are put in with `%`, and what is before `le` with one `replace`.

    The `le` labels are formatted as Prometheus does and OpenMetrics requires: `le="1.0"`, `le="1e+06"`.
    """
    return "".join([f'{_PREFIX}le="{_go_number(bound)}"}} %d\n' for bound in (*bounds, math.inf)])


def format_number(value: Number) -> str:
    """A sample's value, without loss of precision."""
    if isinstance(value, int):
        return str(int(value))  # True is 1
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _escape_help(text: str, *, quotes: bool) -> str:
    escaped = valid_unicode(text).replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if quotes else escaped
