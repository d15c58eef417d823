"""Encodes a run as one line of a file, with a checksum: a full disk or a crash can leave half a line."""

import json
import zlib
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, Final

from telemetry.jobs.run import JobRun, shortened

_NAMES: Final = tuple(field.name for field in fields(JobRun))
_REQUIRED: Final = frozenset(
    field.name for field in fields(JobRun) if field.default is MISSING and field.default_factory is MISSING
)
_TYPES: Final[dict[str, Any]] = {"datetime": datetime, "dict": dict, "float": (int, float), "str": str}
_TYPES_BY_NAME: Final = {
    field.name: next(kind for word, kind in _TYPES.items() if word in str(field.type)) for field in fields(JobRun)
}
_CHECKSUM_LENGTH: Final = 8
_DATABASE: Final = "database"
MAX_RECORD_BYTES: Final = 256 * 2**10
MAX_LINE_BYTES: Final = 2**20
"""Limits of a line that is written, and of one that is read: earlier versions wrote longer ones."""


def encode(run: JobRun, limit: int = MAX_RECORD_BYTES) -> bytes:
    """Encode a run as a checksum (8 hexadecimal digits), a space, JSON and a line feed. Fields that are None are left out.

    A run that takes more than `limit` bytes is shortened.
    """
    line = _encode(run)
    return line if len(line) <= limit else _encode(shortened(run))


def _encode(run: JobRun) -> bytes:
    values = {name: value for name in _NAMES if (value := getattr(run, name)) is not None}
    return _line(values)


def decode(line: bytes) -> JobRun | None:
    """Decode a line; None if it is incomplete or damaged. Ignores fields that this version does not know."""
    values = _values(line)
    if not values.keys() >= _REQUIRED or not str(values["run_id"]).isalnum():
        return None
    try:
        return JobRun(**{name: _value(name, value) for name, value in values.items() if name in _NAMES})
    except (ValueError, TypeError):
        return None


def encode_database(database: str) -> bytes:
    """Encode the first line of a file: for which database its runs are."""
    return _line({_DATABASE: database})


def decode_database(line: bytes) -> str | None:
    """Decode such a line; None if it is another one."""
    values = _values(line)
    return str(values[_DATABASE]) if values.keys() == {_DATABASE} else None


def _line(values: dict[str, Any]) -> bytes:
    text = json.dumps(values, default=datetime.isoformat).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _values(line: bytes) -> dict[str, Any]:
    text = line[_CHECKSUM_LENGTH + 1 :].rstrip(b"\n")
    if line[:_CHECKSUM_LENGTH] != b"%08x" % zlib.crc32(text):
        return {}
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _value(name: str, value: Any) -> Any:
    """Raises ValueError or TypeError: the value is not one of this field."""
    kind = _TYPES_BY_NAME[name]
    if value is None and name not in _REQUIRED:
        return None
    if kind is datetime:
        timestamp = datetime.fromisoformat(value)
        if timestamp.utcoffset() is None:
            raise ValueError(f"{name} has no time zone")
        return timestamp
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value
