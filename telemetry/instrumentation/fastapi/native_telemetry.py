"""FastAPI's own telemetry: with global providers it would measure each request a second time."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

NATIVE_OFF: Final[Mapping[str, bool]] = {"tracing": False, "metrics": False, "logs": False}
"""The argument `telemetry` of `FastAPI(…)`, the public way."""


def disable(app: FastAPI) -> dict[str, Any]:
    """Switch it off for an application that exists already, for which there is no public way. Returns what it was.

    If FastAPI keeps it elsewhere in another version, it finds the published middleware in the stack and switches itself off.
    """
    if not isinstance(config := getattr(app, "_telemetry", None), dict):
        return {}
    before = {name: config[name] for name in NATIVE_OFF if name in config}
    config.update(NATIVE_OFF)
    return before


def restore(app: FastAPI, before: Mapping[str, Any]) -> None:
    """Undo `disable`."""
    if before and isinstance(config := getattr(app, "_telemetry", None), dict):
        config.update(before)
