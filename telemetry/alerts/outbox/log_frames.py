"""Reads SQLite's write-ahead log without SQLite, which ignores all that follows the first damaged frame.

The format is described at https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

PAGE_SIZE: Final = 4096
"""SQLite's default, with which the outbox is created."""
_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
_OTHER_SIZES: Final = {2**power for power in range(9, 17)} - {PAGE_SIZE}
_MASK: Final = 0xFFFFFFFF
_SALTS: Final = slice(2, 4)


class Frame(NamedTuple):
    """A page as a transaction wrote it.

    Attributes:
        is_intact: whether its checksum is right.
        follows: whether SQLite reads it: no frame before it is damaged.
        is_commit: whether it is the last one of its transaction.
    """

    page: int
    content: bytes
    is_intact: bool
    follows: bool
    is_commit: bool


def committed(log: bytes) -> list[Frame]:
    """The frames up to the last commit, the oldest first. A damaged header or frame costs none of the others."""
    found = list(_frames(log))
    last = max((index for index, frame in enumerate(found) if frame.is_commit and frame.is_intact), default=-1)
    return found[: last + 1]


def is_damaged(log: bytes) -> bool:
    """Whether SQLite would ignore a committed transaction. False for pages of another size, of which nothing can be said."""
    if len(log) >= _HEADER.size and _HEADER.unpack_from(log)[2] in _OTHER_SIZES:
        return False
    return any(frame.is_commit and frame.is_intact and not frame.follows for frame in committed(log))


def _frames(log: bytes) -> Iterator[Frame]:
    header = _valid_header(log)
    order, checksum = (_MAGIC[header[0]], header[6:]) if header else (_guessed_order(log), None)
    salts, follows = header[4:6] if header else None, header is not None
    for start in range(_HEADER.size, len(log) - _FRAME.size - PAGE_SIZE + 1, _FRAME.size + PAGE_SIZE):
        fields = _FRAME.unpack_from(log, start)
        salts = salts or fields[_SALTS]
        content = log[start + _FRAME.size : start + _FRAME.size + PAGE_SIZE]
        expected = checksum and _checksum(order, log[start : start + 8] + content, checksum)
        is_ours = fields[_SALTS] == salts
        is_intact = is_ours and expected in {None, fields[4:]}
        follows, checksum = follows and is_intact, fields[4:]
        if is_ours and fields[0]:
            yield Frame(fields[0], content, is_intact, follows, bool(fields[1]))


def _valid_header(log: bytes) -> tuple[int, ...] | None:
    if len(log) < _HEADER.size:
        return None
    fields = _HEADER.unpack_from(log)
    order = _MAGIC.get(fields[0])
    if order is None or fields[2] != PAGE_SIZE or _checksum(order, log[:24], (0, 0)) != fields[6:]:
        return None
    return fields


def _guessed_order(log: bytes) -> str:
    """The byte order in which the second frame continues the checksum of the first."""
    first, second = _HEADER.size, _HEADER.size + _FRAME.size + PAGE_SIZE
    if len(log) < second + _FRAME.size + PAGE_SIZE:
        return "<"
    seed, expected = _FRAME.unpack_from(log, first)[4:], _FRAME.unpack_from(log, second)[4:]
    data = log[second : second + 8] + log[second + _FRAME.size : second + _FRAME.size + PAGE_SIZE]
    return "<" if _checksum("<", data, seed) == expected else ">"


def _checksum(order: str, data: bytes, seed: tuple[int, ...]) -> tuple[int, int]:
    first, second = seed
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even in words:
        first = (first + even + second) & _MASK
        second = (second + next(words) + first) & _MASK
    return first, second
