"""Text: families as Prometheus reads them, in its text format 0.0.4 or in OpenMetrics 1.0.0.

Written straight from the numbers: most of the time of the usual exporter goes into building objects for each line.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from telemetry.metrics.families import Family
from telemetry.metrics.histogram import Exemplar, HistogramValue, Number

_go_number: Callable[[float], str] = floatToGoString
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def content_type(accept: str) -> str:
    """OpenMetrics for whoever asks for it, the text format for everybody else."""
    asked = (part.split(";")[0].strip().lower() for part in accept.split(","))
    return OPENMETRICS if "application/openmetrics-text" in asked else TEXT


def write(families: Iterable[Family], kind: str = TEXT) -> bytes:
    openmetrics = kind == OPENMETRICS
    lines: list[str] = []
    for family in families:
        name = family.name.removesuffix("_total") if openmetrics and family.kind == "counter" else family.name
        lines.append(f"# HELP {name} {_escape_help(family.help)}\n# TYPE {name} {family.kind}\n")
        lines.extend(_samples(family, exemplars=openmetrics))
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode(errors="replace")  # a label may hold what is no text, such as a file's name


def _samples(family: Family, *, exemplars: bool) -> Iterator[str]:
    name = family.name
    if family.kind == "histogram":
        for labels, distribution in family.distributions.items():
            yield _histogram(name, labels, distribution, exemplars=exemplars)
        return
    for labels, value in family.series.items():
        yield f"{name}{{{labels}}} {number(value)}\n" if labels else f"{name} {number(value)}\n"


def _histogram(name: str, labels: str, distribution: HistogramValue, *, exemplars: bool) -> str:
    prefix = f"{name}_bucket{{{labels}," if labels else f"{name}_bucket{{"
    cumulative = list(accumulate(distribution.counts))
    lines = [
        f"{prefix}{bound}}} {count}\n" for bound, count in zip(_bounds(distribution.bounds), cumulative, strict=True)
    ]
    if exemplars:
        for bucket, exemplar in distribution.exemplars.items():
            lines[bucket] = f"{lines[bucket][:-1]} {_exemplar(exemplar)}\n"
    braces = f"{{{labels}}}" if labels else ""
    lines.append(f"{name}_sum{braces} {number(distribution.sum)}\n{name}_count{braces} {cumulative[-1]}\n")
    return "".join(lines)


def _exemplar(exemplar: Exemplar) -> str:
    trace = f'trace_id="{exemplar.trace_id}",span_id="{exemplar.span_id}"'
    return f"# {{{trace}}} {number(exemplar.value)} {exemplar.at:.3f}"


@lru_cache(maxsize=256)
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    """As Prometheus writes them, and OpenMetrics asks for: `le="1.0"`, `le="1e+06"`."""
    return tuple(f'le="{_go_number(bound)}"' for bound in (*bounds, math.inf))


def number(value: Number) -> str:
    if isinstance(value, int):
        return str(int(value))  # True is 1
    if math.isfinite(value):
        return repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _escape_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
