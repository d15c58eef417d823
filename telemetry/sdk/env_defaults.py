"""Defaults: variables of the SDK that are set while it reads them, where the user has not, and taken back after that."""

import os
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def default_variables(**defaults: str) -> Generator[None]:
    """What the user has set stands. Nothing is left behind for the programs that this process starts."""
    missing = {name: value for name, value in defaults.items() if not os.environ.get(name, "").strip()}
    before = {name: os.environ[name] for name in missing if name in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
        os.environ.update(before)
