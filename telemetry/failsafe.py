"""The fail-safe decorator: exceptions of telemetry code are logged once and never reach the instrumented code."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_log = logging.getLogger(__name__)
_warned: set[str] = set()
P = ParamSpec("P")
R = TypeVar("R")


def failsafe(function: Callable[P, R]) -> Callable[P, R | None]:
    """Make a function return None instead of raising an `Exception`; logs the first one of each function as a warning."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # noqa: BLE001  # an edge: no error of the telemetry may reach the instrumented code
            warn_once(getattr(function, "__qualname__", repr(function)))
            return None

    return guarded


def warn_once(name: str) -> None:
    """Log the exception that is being handled, once for a name. For code that cannot pay for `failsafe`."""
    if name not in _warned:
        _warned.add(name)
        _log.warning(
            "Telemetry failed in %s; the application is not affected, and this is logged once.", name, exc_info=True
        )
