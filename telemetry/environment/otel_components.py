"""The kinds of values that name installed components of OpenTelemetry: propagators, providers, detectors of resources."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from telemetry.environment.otel_values import ValueKind

_PACKAGES: Final[Mapping[str, str]] = {
    "b3": "opentelemetry-propagator-b3",
    "b3multi": "opentelemetry-propagator-b3",
    "jaeger": "opentelemetry-propagator-jaeger",
    "ottrace": "opentelemetry-propagator-ot-trace",
    "xray": "opentelemetry-propagator-aws-xray",
}
"""The distributions of propagators that OpenTelemetry names, and that are not always installed."""


def component(*groups: str) -> ValueKind:
    """The name of an installed component: an entry point of one of the groups."""

    def normalize(text: str) -> str:
        if text not in installed(*groups):
            raise ValueError
        return text

    def expected() -> str:
        names = installed(*groups)
        return f"one of {', '.join(sorted(names))}" if names else "unset: no package that provides one is installed"

    return ValueKind(expected, normalize, words=lambda: installed(*groups))


def components(group: str, *besides: str) -> ValueKind:
    """Names of installed components, with commas between them; empty ones are left out, as the SDK does."""

    def allowed() -> frozenset[str]:
        return installed(group) | frozenset(besides)

    def normalize(text: str) -> str:
        names = [name.strip() for name in text.split(",") if name.strip()]
        if not set(names) <= allowed():
            raise ValueError
        return ",".join(names)

    return ValueKind(lambda: f"one or more of {', '.join(sorted(allowed()))}", normalize, words=allowed)


def propagators() -> ValueKind:
    """Like components, but `none` is written in any way, and an empty name is what the SDK has no propagator for."""
    group = "opentelemetry_propagator"

    def allowed() -> frozenset[str]:
        return installed(group) | {"none"}

    def normalize(text: str) -> str:
        names = ["none" if name.strip().lower() == "none" else name.strip() for name in text.split(",")]
        if not set(names) <= allowed():
            raise ValueError
        return ",".join(names)

    def expected() -> str:
        packages: dict[str, list[str]] = {}
        for name in sorted(set(_PACKAGES) - allowed()):
            packages.setdefault(_PACKAGES[name], []).append(name)
        missing = "; ".join(f"{' and '.join(names)}: pip install {package}" for package, names in packages.items())
        return f"one or more of {', '.join(sorted(allowed()))}{f' ({missing})' if missing else ''}"

    return ValueKind(expected, normalize, words=lambda: allowed() | set(_PACKAGES))


def installed(*groups: str) -> frozenset[str]:
    return frozenset(point.name for group in groups for point in entry_points(group=group))
