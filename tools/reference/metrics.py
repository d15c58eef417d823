"""The page of all metrics, from the metric mappings and the values that labels can have."""

from typing import Final

from deploy.generate.label_values import known_values
from service.instruments import METRIC_MAPPINGS
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.self_vocabulary import SELF_VOCABULARY
from telemetry.metrics.vocabulary import VOCABULARY
from tools.reference.markdown import code, codes, sentence

_MANY: Final = 40


def page() -> str:
    """The whole page."""
    own = [mapping for mapping in VOCABULARY if mapping not in SELF_VOCABULARY]
    parts = [_HEAD, "## Requests, jobs, queries and outgoing calls", *map(_metric, own)]
    parts += ["## Reviews, orders and answers", *map(_metric, METRIC_MAPPINGS)]
    parts += ["## The telemetry itself", *map(_metric, SELF_VOCABULARY)]
    return "\n\n".join(parts) + "\n"


def _metric(mapping: MetricMapping) -> str:
    facts = [f"- type: {mapping.kind}", f"- instrument: {code(mapping.source)}"]
    facts += [f"- label {code(label.name)}{_values(mapping.name, label.name)}" for label in mapping.labels or ()]
    return f"### `{mapping.name}`\n\n{sentence(mapping.help)}\n\n" + "\n".join(facts)


def _values(metric: str, label: str) -> str:
    values = sorted(known_values(metric, label) or ())
    return f": {codes(values)}" if 0 < len(values) <= _MANY else ""


_HEAD: Final = """# Metrics

These are the names on `/metrics`. By OTLP the same measurements have [OpenTelemetry's names](signals.md); `METRICS_NAMES=otel` shows those
on `/metrics`, too. A histogram has the series `…_bucket`, `…_sum` and `…_count`.

`make reference` makes this page from the metric mappings."""
