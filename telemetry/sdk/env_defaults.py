"""Temporary defaults for environment variables, which are set only while the SDK reads them."""

import os
from collections.abc import Generator
from contextlib import contextmanager


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
