"""Lines: a run as one line of a file, with a checksum, since a disk can be full in the middle of one."""

import json
import zlib
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, Final

from telemetry.jobs.run import JobRun

_NAMES: Final = tuple(field.name for field in fields(JobRun))
_REQUIRED: Final = frozenset(
    field.name for field in fields(JobRun) if field.default is MISSING and field.default_factory is MISSING
)
_TIMESTAMPS: Final = frozenset(field.name for field in fields(JobRun) if "datetime" in str(field.type))
_CHECKSUM_LENGTH: Final = 8


def encode(run: JobRun) -> bytes:
    """What is None is left out."""
    values = {name: value for name in _NAMES if (value := getattr(run, name)) is not None}
    text = json.dumps(values, default=datetime.isoformat).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> JobRun | None:
    """None for a line that is not whole. Names that this version does not know are left out."""
    text = line[_CHECKSUM_LENGTH + 1 :].rstrip(b"\n")
    if line[:_CHECKSUM_LENGTH] != b"%08x" % zlib.crc32(text):
        return None
    values: Any = json.loads(text)
    if not isinstance(values, dict) or not values.keys() >= _REQUIRED:
        return None
    return JobRun(**{name: _value(name, value) for name, value in values.items() if name in _NAMES})


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _TIMESTAMPS else value
