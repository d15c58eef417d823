"""Reads rendered labels back (`method="GET",status="200"`), by the names of `/metrics` whatever `METRICS_NAMES` is."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from telemetry import semconv
from telemetry.metrics.labels import OVERFLOW_LABELS
from telemetry.metrics.mapping import MetricMapping
from telemetry.metrics.prometheus_names import label_name

_LABEL: Final = re.compile(r'([^=,"]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_UNESCAPED: Final = {"n": "\n"}
_COMPUTED_FROM: Final = (semconv.HTTP_STATUS_CODE, semconv.ERROR_TYPE, semconv.DB_OPERATION)
"""The attributes that labels without one of their own are computed from."""
Labels = Mapping[str, str]
ReadLabels = Callable[[str], Labels | None]
"""None for a series that the metric does not have."""


def read_labels(rendered: str) -> dict[str, str]:
    """The labels of a series. An identity behind them is left out."""
    return {
        name: _ESCAPED.sub(lambda found: _UNESCAPED.get(found[1], found[1]), value)
        for name, value in _LABEL.findall(rendered.partition("\n")[0])
    }


def reader_by(mapping: MetricMapping) -> ReadLabels:
    """Reads labels that OpenTelemetry's rules have made of attributes, as the labels of a mapping."""
    attributes = {*_COMPUTED_FROM, *(label.attribute for label in mapping.labels or ())}
    by_label = {label_name(attribute): attribute for attribute in attributes if attribute}

    def read(rendered: str) -> Labels | None:
        if rendered == OVERFLOW_LABELS:
            return read_labels(rendered)
        found = {by_label.get(name, name): value for name, value in read_labels(rendered).items()}
        if mapping.select is not None and not mapping.select(found):
            return None
        return {label.name: label.value(found) for label in mapping.labels or ()}

    return read


def encoded(labels: Labels) -> str:
    return json.dumps(labels, sort_keys=True, separators=(",", ":"))
