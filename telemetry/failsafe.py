"""Harmless: what telemetry raises is said once and goes no further; the work that it watches does not notice."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_log = logging.getLogger(__name__)
_warned: set[str] = set()
P = ParamSpec("P")
R = TypeVar("R")


def failsafe(function: Callable[P, R]) -> Callable[P, R | None]:
    """Swallow every `Exception` of a function that observes (it then gives None); a function's first is a warning."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001  # telemetry is an edge: nothing that it raises may reach the work
            _warn_once(getattr(function, "__qualname__", repr(function)))
            return None

    return guarded


def _warn_once(name: str) -> None:
    if name not in _warned:
        _warned.add(name)
        _log.warning("Telemetry failed in %s; the work goes on, and this is said once.", name, exc_info=True)
