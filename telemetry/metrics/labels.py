"""Labels as text: what a point's attributes are on `/metrics`, whatever their names and values are."""

import logging
from collections.abc import Container, Iterable, Mapping
from itertools import chain, count
from json import dumps, loads
from typing import Any, Final, TypeVar

from telemetry.json_safe import to_text, valid_unicode
from telemetry.metrics.prometheus_names import label_name

T = TypeVar("T")
OVERFLOW_LABELS: Final = 'otel_metric_overflow="true"'
BUCKET_LABEL: Final = "le"
_IDENTITY: Final = "\n"
"""Between labels and an identity: labels have no line end, which they escape."""
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
    for attribute, value in sorted_by_name(attributes):
        name = label_name(attribute) or "_"
        if has_buckets and name == BUCKET_LABEL:
            name = f"exported_{name}"
        labels[name] = f"{labels[name]};{label_value(value)}" if name in labels else label_value(value)
    return labels


def sorted_by_name(attributes: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    named = [(name if isinstance(name, str) else to_text(name), value) for name, value in attributes.items()]
    return sorted(named, key=lambda each: each[0])


def label_value(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return dumps(value, default=to_text)
    except Exception:  # noqa: BLE001  # a value inside itself, odd keys: it raises many errors
        return to_text(value)


def with_identity(labels: str, scope: str, unit: str, attributes: Mapping[str, Any]) -> str:
    """Labels with what tells their series from another one with the same labels, in this process or in another."""
    return f"{labels}{_IDENTITY}{dumps([scope, unit, label_value(dict(sorted_by_name(attributes)))])}"


def with_pair(labels: str, pair: str) -> str:
    """Labels, with their identity if they have one, and one more label."""
    plain, mark, identity = labels.partition(_IDENTITY)
    return f"{plain},{pair}{mark}{identity}" if plain else f"{pair}{mark}{identity}"


def without_identities(series: Mapping[str, T]) -> dict[str, T]:
    """The series by their labels alone. Of those with the same labels all but one get their scope, attributes, a number.

    Which one that is depends on nothing but the series, so that all workers agree.
    """
    if not any(_IDENTITY in key for key in series):
        return dict(series)
    found = {key: value for key, value in series.items() if _IDENTITY not in key}
    for key in sorted(key for key in series if _IDENTITY in key):
        labels, _, identity = key.partition(_IDENTITY)
        found[labels if labels not in found else _other_labels(labels, identity, found)] = series[key]
    return found


def _other_labels(labels: str, identity: str, taken: Container[str]) -> str:
    scope, _, attributes = loads(identity)
    with_scope = _with_label(labels, "otel_scope_name", scope)
    whole = _with_label(with_scope, "otel_attributes", attributes)
    numbered = (_with_label(whole, "otel_duplicate", str(number)) for number in count(2))
    return next(each for each in chain([with_scope, whole], numbered) if each not in taken)


def _with_label(labels: str, name: str, value: str) -> str:
    """Labels and one more, whose name none of them has."""
    while f'{name}="' in labels:
        name = f"exported_{name}"
    return with_pair(labels, f'{name}="{escape(value)}"')


def say_once_if_shared(instrument: str, attributes: Mapping[str, Any], labels: Iterable[str]) -> None:
    """Say once for an instrument that attributes share a label, or that one has another name."""
    shown = [*labels]
    if len(shown) == len(attributes) and f"exported_{BUCKET_LABEL}" not in shown:
        return
    if instrument not in _said and len(_said) < _MAX_REMEMBERED:
        _said.add(instrument)
        _log.warning(
            "Attributes of %s share a label on /metrics, or its name is taken: %s are %s. This is logged once.",
            instrument,
            ", ".join(sorted(map(to_text, attributes))),
            ", ".join(shown),
        )
