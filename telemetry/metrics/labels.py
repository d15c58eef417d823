"""Labels as text: what a point's attributes are on `/metrics`, whatever their names and values are."""

import logging
from collections.abc import Iterable, Mapping
from json import dumps
from typing import Any, Final

from telemetry.json_safe import to_text, valid_unicode
from telemetry.metrics.prometheus_names import label_name

OVERFLOW_LABELS: Final = 'otel_metric_overflow="true"'
BUCKET_LABEL: Final = "le"
_MAX_REMEMBERED: Final = 1000
_said: Final[set[str]] = set()
_log: Final = logging.getLogger(__name__)


def pairs(labels: Mapping[str, str]) -> str:
    return ",".join([f'{name}="{escape(value)}"' for name, value in labels.items()])


def escape(value: str) -> str:
    """A label's value between its quotes. A lone surrogate is U+FFFD."""
    return valid_unicode(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def translated_labels(attributes: Mapping[Any, Any], *, has_buckets: bool = False) -> dict[str, str]:
    """Labels by OpenTelemetry's rules: names that Prometheus allows; values that are no text, as JSON.

    Attributes that have one label in the end share it, with a `;` between their values, in the order of their names. The
    attribute `le` of a histogram is `exported_le`, as Prometheus calls a label whose name is taken.
    """
    labels: dict[str, str] = {}
    named = [(name if isinstance(name, str) else to_text(name), value) for name, value in attributes.items()]
    for attribute, value in sorted(named, key=lambda each: each[0]):
        name = label_name(attribute) or "_"
        if has_buckets and name == BUCKET_LABEL:
            name = f"exported_{name}"
        labels[name] = f"{labels[name]};{label_value(value)}" if name in labels else label_value(value)
    return labels


def label_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return dumps(value, default=to_text)
    except Exception:  # noqa: BLE001  # a value inside itself, odd keys: it raises many errors
        return to_text(value)


def say_once_if_shared(instrument: str, attributes: Mapping[str, Any], labels: Iterable[str]) -> None:
    """Say once for an instrument that attributes share a label, or that one has another name."""
    shown = [*labels]
    if len(shown) == len(attributes) and f"exported_{BUCKET_LABEL}" not in shown:
        return
    if instrument not in _said and len(_said) < _MAX_REMEMBERED:
        _said.add(instrument)
        _log.warning(
            "Attributes of %s share a label on /metrics, or its name is taken: %s are %s. This is said once.",
            instrument,
            ", ".join(sorted(map(to_text, attributes))),
            ", ".join(shown),
        )
