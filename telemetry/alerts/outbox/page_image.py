"""Reads a damaged SQLite file without SQLite: its pages with those of its log, and the records in the leaves of its tables.

The format is described at https://sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from telemetry.alerts.outbox.log_frames import PAGE_SIZE, Frame, committed

MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a larger file nothing is recovered."""
FILE_HEADER: Final = 100
_MAX_PAGES: Final = MAX_BYTES // PAGE_SIZE
_TABLE_LEAF: Final = 0x0D
_MAX_LOCAL: Final = PAGE_SIZE - 35
_MIN_LOCAL: Final = (PAGE_SIZE - 12) * 32 // 255 - 23
_OVERFLOW: Final = PAGE_SIZE - 4
_MAX_RECORD: Final = 8 * 1024 * 1024
_INTEGER_SIZES: Final = (0, 1, 2, 3, 4, 6, 8)
_FLOAT, _ZERO, _ONE, _BLOB = 7, 8, 9, 12

Value = None | int | float | str
Record = tuple[int, list[Value]]
"""The rowid, and the values of the columns."""


def image(database: bytes, log: bytes) -> bytearray:
    """The database as the log leaves it. Pages that neither has are empty."""
    pages = {frame.page: frame.content for frame in _readable(log) if frame.is_intact}
    size = max([len(database) // PAGE_SIZE * PAGE_SIZE, *(page * PAGE_SIZE for page in pages)])
    whole = bytearray(database[:size].ljust(size, b"\0"))
    for page, content in pages.items():
        whole[(page - 1) * PAGE_SIZE : page * PAGE_SIZE] = content
    return whole


def with_old_pages(whole: bytes, log: bytes) -> bytes:
    """The image, and after it the pages of the log that it has newer versions of, and damaged ones; the newest first."""
    return whole + b"".join(frame.content for frame in reversed(_readable(log)))


def _readable(log: bytes) -> list[Frame]:
    return [frame for frame in committed(log) if frame.page <= _MAX_PAGES]


def records(whole: bytes, columns: range) -> Iterator[Record]:
    """The records with as many columns as the range allows in the leaves of all tables, whether or not the pages above them are readable."""
    free = _free_pages(whole)
    for page in range(1, len(whole) // PAGE_SIZE + 1):
        start = (page - 1) * PAGE_SIZE
        header = start + (FILE_HEADER if page == 1 else 0)
        if page in free or whole[header] != _TABLE_LEAF:
            continue
        for cell in range(min(int.from_bytes(whole[header + 3 : header + 5]), PAGE_SIZE // 4)):
            pointer = int.from_bytes(whole[header + 8 + 2 * cell : header + 10 + 2 * cell])
            with suppress(ValueError, IndexError, struct.error):  # this cell is damaged
                yield _record(whole, start + pointer, columns)


def _free_pages(whole: bytes) -> set[int]:
    """The pages that hold only what was deleted, as far as their list is readable."""
    free: set[int] = set()
    trunk = int.from_bytes(whole[32:36])
    while 0 < trunk <= len(whole) // PAGE_SIZE and trunk not in free:
        free.add(trunk)
        start = (trunk - 1) * PAGE_SIZE
        count = min(int.from_bytes(whole[start + 4 : start + 8]), PAGE_SIZE // 4 - 2)
        free.update(struct.unpack_from(f">{count}I", whole, start + 8))
        trunk = int.from_bytes(whole[start : start + 4])
    return free


def _record(whole: bytes, position: int, columns: range) -> Record:
    size, position = _varint(whole, position)
    rowid, position = _varint(whole, position)
    kinds, end = _kinds(whole[position : position + _MAX_LOCAL])
    if len(kinds) not in columns or not end <= size <= _MAX_RECORD:
        raise ValueError("not a record of this table")
    payload = _payload(whole, position, size)
    values = []
    for kind in kinds:
        value, end = _value(payload, end, kind)
        values.append(value)
    return rowid - (1 << 64) if rowid >> 63 else rowid, values


def _kinds(payload: bytes) -> tuple[list[int], int]:
    """The types of the values, and where these begin."""
    end, place = _varint(payload, 0)
    kinds = []
    while place < end:
        kind, place = _varint(payload, place)
        kinds.append(kind)
    return kinds, end


def _payload(whole: bytes, position: int, size: int) -> bytes:
    """The bytes of a record: its part in the leaf, and the overflow pages that continue it. What is lost of them is blank."""
    surplus = _MIN_LOCAL + (size - _MIN_LOCAL) % _OVERFLOW
    local = size if size <= _MAX_LOCAL else surplus if surplus <= _MAX_LOCAL else _MIN_LOCAL
    parts = [whole[position : position + local]]
    missing, pointer = size - local, position + local
    while missing > 0:
        page = int.from_bytes(whole[pointer : pointer + 4])
        if not 0 < page <= len(whole) // PAGE_SIZE:
            parts.append(b" " * missing)
            break
        pointer = (page - 1) * PAGE_SIZE
        parts.append(whole[pointer + 4 : pointer + 4 + min(missing, _OVERFLOW)])
        missing -= _OVERFLOW
    return b"".join(parts)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[position + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004  # the last byte has no high bit
            return value, position + index + 1
    return value << 8 | data[position + 8], position + 9


def _value(payload: bytes, position: int, kind: int) -> tuple[Value, int]:
    if kind in {_ZERO, _ONE}:
        return kind - _ZERO, position
    size = _INTEGER_SIZES[kind] if kind < _FLOAT else 8 if kind == _FLOAT else (kind - _BLOB) // 2
    data = payload[position : position + size]
    if len(data) < size or kind in {10, 11} or (kind >= _BLOB and not kind % 2):
        raise ValueError("no value of the outbox")
    if kind > _FLOAT:
        return data.decode(errors="replace").replace("\0", " "), position + size
    if kind == _FLOAT:
        return struct.unpack(">d", data)[0], position + size
    return (int.from_bytes(data, signed=True) if kind else None), position + size
