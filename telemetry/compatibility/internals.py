"""Private names of OpenTelemetry's SDK, which another version may not have; each user then takes the public way."""

import logging
from importlib import import_module
from types import ModuleType
from typing import Any, Final

_log = logging.getLogger(__name__)
_missing: Final[dict[str, None]] = {}
_reported: Final[set[str]] = set()


def find_module(name: str) -> ModuleType | None:
    """A module of the SDK, or None, which is noted: this version has no module of that name."""
    try:
        return import_module(name)
    except ImportError:
        note_missing(name)
        return None


def find(module: str, name: str) -> Any | None:
    """What a module of the SDK calls by that name, or None, which is noted: this version has no such name."""
    found = getattr(find_module(module), name, None)
    if found is None:
        note_missing(f"{module}.{name}")
    return found


def note_missing(name: str) -> None:
    """Note that this version of the SDK lacks a name. One line names it, once, when the telemetry starts or is running."""
    _missing[name] = None
    if _reported:
        report_missing()


def report_missing() -> None:
    """Warn of the names that were missing so far, those that were reported before excepted."""
    new = [name for name in _missing if name not in _reported]
    _reported.update(("", *new))
    if new:
        _log.warning(
            "This version of OpenTelemetry's SDK has no %s: everything is measured by its public interface, which costs more,"
            " or without reentrant locks. pip install sovani selects a version that has them.",
            ", ".join(new),
        )
