"""Keeps the import of the SDK from failing: it reads some variables while it is imported, and raises if one is wrong."""

import os
import sys
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

_AT_IMPORT: Final = ("OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")
_READERS: Final = ("opentelemetry.propagate", "opentelemetry.sdk.trace")
PROPAGATORS: Final = "OTEL_PROPAGATORS"


def import_readers() -> None:
    """Import what reads the variables while they are unset, if one is wrong or blank. The start says which is wrong, in one line."""
    given = {name: os.environ[name] for name in _AT_IMPORT if name in os.environ}
    if not given:
        return
    # Not at the top: it takes longer than an import of this package may where nothing is set.
    from telemetry.environment.otel_variables import wrong_by_itself  # noqa: PLC0415

    unfit = [name for name, value in given.items() if not value.strip() or wrong_by_itself(name)]
    if unfit:
        for name in unfit:
            del os.environ[name]
        try:
            for reader in _READERS:
                import_module(reader)
        finally:
            os.environ.update(given)


def adopt_propagators(names: str) -> None:
    """Make these the propagators of the process: for `.env`, which is read after the import. `names` are those that the SDK takes."""
    if "opentelemetry.propagate" not in sys.modules:
        return
    from opentelemetry.propagate import set_global_textmap  # noqa: PLC0415  # only if it is imported anyway
    from opentelemetry.propagators.composite import CompositePropagator  # noqa: PLC0415  # the same

    wanted = [] if "none" in names.split(",") else names.split(",")
    points = {point.name: point for point in entry_points(group="opentelemetry_propagator")}
    set_global_textmap(CompositePropagator([points[name].load()() for name in wanted]))
