"""Temporary defaults for environment variables, which are set only while the SDK reads them."""

import os
from collections.abc import Generator
from contextlib import contextmanager

from telemetry.environment.otel_variables import normalized
from telemetry.redaction.wrong_variables import check_opentelemetry


@contextmanager
def default_variables(**defaults: str) -> Generator[None]:
    """Set the variables that are unset or blank, and restore them afterwards: child processes inherit nothing."""
    missing = {name: value for name, value in defaults.items() if not os.environ.get(name, "").strip()}
    before = {name: os.environ[name] for name in missing if name in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def sdk_variables() -> Generator[None]:
    """Check OpenTelemetry's variables, and give them the form that the SDK takes: blank ones unset, words in its own case.

    Raises:
        SettingsError: a variable is wrong.
    """
    check_opentelemetry()
    changed = normalized()
    before = {name: os.environ[name] for name in changed}
    try:
        for name, value in changed.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        yield
    finally:
        os.environ.update(before)
