"""Instruments each FastAPI application of the process when it is made, as `telemetry.start(app=app)` does."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from wrapt import wrap_function_wrapper

from telemetry import setup
from telemetry.failsafe import failsafe


def instrument_new_applications() -> None:
    """Instrument applications from now on, also those of classes that are derived from FastAPI. Idempotent."""
    if not hasattr(FastAPI.__init__, "__wrapped__"):
        wrap_function_wrapper("fastapi", "FastAPI.__init__", _make)


def _make(wrapped: Callable[..., None], app: FastAPI, given: Any, options: Any) -> None:
    wrapped(*given, **options)
    _start(app)


@failsafe
def _start(app: FastAPI) -> None:
    if setup.current() is not None:
        setup.start(app=app)
