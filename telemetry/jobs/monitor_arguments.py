"""Checks the arguments of `monitor_job`. Only in development and tests does a wrong one raise; elsewhere the job goes on.

There, one warning says what was wrong, and the run is recorded with what can be made of the argument.
"""

import logging
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from dotenv import dotenv_values

from telemetry.jobs.run import MAX_NAME_LENGTH
from telemetry.json_safe import to_text

UNNAMED: Final = "unnamed"
_STRICT_ENVIRONMENTS: Final = frozenset({"", "development", "dev", "local", "test", "tests", "testing", "ci"})
_VARIABLE: Final = "ENVIRONMENT"
_MAX_WARNINGS: Final = 100
_warned: Final[set[str]] = set()
_log = logging.getLogger(__name__)
T = TypeVar("T")


def is_strict(environment: str) -> bool:
    """Whether wrong arguments raise in this environment."""
    return environment.strip().lower().removesuffix("-sandbox") in _STRICT_ENVIRONMENTS


def is_strict_process() -> bool:
    """The same where the telemetry is not started, such as at the import of a module."""
    found = os.environ.get(_VARIABLE)
    if found is None:
        try:
            found = dotenv_values(".env").get(_VARIABLE)
        except (OSError, ValueError):
            return False
    return is_strict(found or "")


class Arguments:
    """`strict` is asked only about wrong arguments."""

    def __init__(self, strict: Callable[[], bool]) -> None:
        self._strict = strict

    def name(self, name: object) -> str:
        return self._checked(_name, name, _usable_name)

    def metadata(self, metadata: object) -> Mapping[str, Any]:
        return self._checked(_metadata, metadata, lambda _: {})

    def timestamp(self, timestamp: object) -> datetime | None:
        return self._checked(_timestamp, timestamp, _usable_timestamp)

    def max_runtime(self, max_runtime: object) -> timedelta | None:
        return self._checked(_max_runtime, max_runtime, lambda _: None)

    def _checked(self, check: Callable[[object], T], value: object, replace: Callable[[object], T]) -> T:
        try:
            return check(value)
        except Exception as error:  # whatever a strange object raises
            if self._strict():
                raise
            warn_once(str(error))
            return replace(value)


def warn_once(sentence: str) -> None:
    if sentence not in _warned and len(_warned) < _MAX_WARNINGS:
        _warned.add(sentence)
        _log.warning("%s", sentence)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValueError(f"A job's name is 1 to {MAX_NAME_LENGTH} printable characters, not {name!r:.120}.")
    return name


def _usable_name(name: object) -> str:
    text = to_text(name)[:MAX_NAME_LENGTH]
    return "".join(each if each.isprintable() else "?" for each in text).strip() or UNNAMED


def _metadata(metadata: object) -> Mapping[str, Any]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"A job's metadata is a mapping, such as a dict, not {type(metadata).__name__}.")
    return metadata


def _timestamp(timestamp: object) -> datetime | None:
    if timestamp is not None and (not isinstance(timestamp, datetime) or timestamp.utcoffset() is None):
        raise ValueError(f"`scheduled_for` is a datetime with a time zone, not {timestamp!r}.")
    return timestamp


def _usable_timestamp(timestamp: object) -> datetime | None:
    return timestamp.replace(tzinfo=UTC) if isinstance(timestamp, datetime) else None


def _max_runtime(max_runtime: object) -> timedelta | None:
    if max_runtime is not None and (not isinstance(max_runtime, timedelta) or max_runtime <= timedelta(0)):
        raise ValueError(f"`max_runtime` must be a positive timedelta, not {max_runtime!r}.")
    return max_runtime
