"""Names for Prometheus, by OpenTelemetry's rules: what its exporter makes of a metric's name, its unit and its attributes.

The rules are those of the specification, "Prometheus and OpenMetrics Compatibility". The exporter keeps its functions private.
"""

import re
from collections.abc import Mapping
from typing import Final

_UNITS: Final[Mapping[str, str]] = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
_PER: Final[Mapping[str, str]] = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
_ANNOTATION: Final = re.compile(r"{.*}")
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABEL: Final = re.compile(r"[^a-zA-Z0-9]+")


def metric_name(name: str) -> str:
    return _NOT_IN_NAME.sub("_", _without_digit(name))


def label_name(attribute: str) -> str:
    return _NOT_IN_LABEL.sub("_", _without_digit(attribute))


def _without_digit(name: str) -> str:
    return f"_{name[1:]}" if name[:1].isdigit() else name


def unit_suffix(unit: str) -> str:
    """The suffix for a unit of UCUM: `seconds` for `s`, `bytes_per_second` for `By/s`; "" for an annotation or for 1."""
    unit = _ANNOTATION.sub("", unit)
    if unit in _UNITS:
        return _UNITS[unit]
    above, _, below = (_NOT_IN_NAME.sub("_", part) for part in unit.partition("/"))
    if not below:
        return _NOT_IN_NAME.sub("_", unit).strip("_")
    per = f"per_{_PER.get(below, below)}"
    return f"{_UNITS.get(above, above)}_{per}" if _UNITS.get(above, above) else per
