"""The page of all metrics, from the metric mappings and the values that labels can have."""

from collections.abc import Iterator, Sequence
from typing import Final

from deploy.generate.label_values import known_values
from service.instruments import METRIC_MAPPINGS
from telemetry.metrics import SNAPSHOT_AGE
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.self_vocabulary import SELF_VOCABULARY
from telemetry.metrics.vocabulary import VOCABULARY
from tools.reference.markdown import code, codes, sentence

_MANY: Final = 40


def page() -> str:
    """The whole page."""
    own = [mapping for mapping in VOCABULARY if mapping not in SELF_VOCABULARY]
    parts = [_HEAD, "## Requests, jobs, queries and outgoing calls", *_metrics(own)]
    parts += ["## Reviews, orders and answers", *_metrics(METRIC_MAPPINGS)]
    parts += ["## The telemetry itself", *_metrics(SELF_VOCABULARY), _SNAPSHOT_AGE]
    return "\n\n".join(parts) + "\n"


def _metrics(mappings: Sequence[MetricMapping]) -> Iterator[str]:
    """One section for each name. A metric may be made from several instruments."""
    for name in dict.fromkeys(mapping.name for mapping in mappings):
        yield _metric([mapping for mapping in mappings if mapping.name == name])


def _metric(mappings: Sequence[MetricMapping]) -> str:
    name = mappings[0].name
    labels = dict.fromkeys(label.name for mapping in mappings for label in mapping.labels or ())
    facts = [f"- type: {mappings[0].kind}", f"- instrument: {codes(mapping.source for mapping in mappings)}"]
    facts += [f"- label {code(label)}{_values(name, label)}" for label in labels]
    return f"### `{name}`\n\n{sentence(mappings[0].help)}\n\n" + "\n".join(facts)


def _values(metric: str, label: str) -> str:
    values = sorted(known_values(metric, label) or ())
    words = [value for value in values if not value.isdecimal()]
    if len(values) > _MANY and len(words) <= _MANY:
        return f": the HTTP status, such as {code(200)}, or {codes(words)}"
    return f": {codes(values)}" if values else ""


_SNAPSHOT_AGE: Final = f"""### `{SNAPSHOT_AGE}`

The age of the newest figures of a worker, if the service has several: the page shows no newer ones of it.

- type: gauge
- label `worker`"""
_HEAD: Final = """# Metrics

These are the names on `/metrics`. By OTLP the same measurements have [OpenTelemetry's names](signals.md); `METRICS_NAMES=otel` shows those
on `/metrics`, too. A histogram has the series `…_bucket`, `…_sum` and `…_count`.

`make reference` makes this page from the metric mappings."""
