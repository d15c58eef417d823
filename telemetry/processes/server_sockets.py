"""The sockets that this process serves at, as the operating system knows them, whichever server opened them."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_DESCRIPTORS: Final = (Path("/proc/self/fd"), Path("/dev/fd"))
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class SocketsUnknown(Exception):
    """The system does not show a process its open files."""


@dataclass(frozen=True, slots=True)
class ServerSocket:
    """A stream socket with an address of its own and without a peer.

    Attributes:
        inode: the same in each process that has inherited the socket.
        address: its family and address, as text.
        is_listening: false for one that is bound only. (uvicorn's parent binds its socket; the workers listen.)
        is_reusable: whether other sockets may have the same address and port at the same time (`SO_REUSEPORT`).
    """

    inode: int
    address: str
    is_listening: bool
    is_reusable: bool


def own_server_sockets() -> list[ServerSocket]:
    """The server sockets of this process.

    Raises:
        SocketsUnknown: the system does not show them.
    """
    return [found for descriptor in _descriptors() if (found := _examine(descriptor)) is not None]


def socket_inodes(pid: int) -> frozenset[int]:
    """The inodes of the sockets that a process has open.

    Raises:
        OSError: they are not shown to this user, or there is no such process.
    """
    return frozenset(_inodes(Path(f"/proc/{pid}/fd")))


def _inodes(directory: Path) -> Iterator[int]:
    for path in directory.iterdir():
        with suppress(OSError, ValueError):  # it was closed meanwhile, or is no socket
            yield int(str(path.readlink()).removeprefix("socket:[").removesuffix("]"))


def _descriptors() -> list[int]:
    for directory in _DESCRIPTORS:
        with suppress(OSError):
            return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())
    raise SocketsUnknown


def _examine(descriptor: int) -> ServerSocket | None:
    """Look at a copy of the descriptor: another thread may close the original, and its number then is another file's."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            return _describe(copy)
    except OSError:
        return None


def _describe(copy: socket.socket) -> ServerSocket | None:
    address: Any = copy.getsockname()
    is_internet = copy.family in _INTERNET
    is_bound = bool(address) and (not is_internet or address[1] != 0)
    if copy.type != socket.SOCK_STREAM or not is_bound or _has_peer(copy):
        return None
    return ServerSocket(
        os.fstat(copy.fileno()).st_ino,
        f"{copy.family.name} {address}",
        bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)),
        is_internet and bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)),
    )


def _has_peer(copy: socket.socket) -> bool:
    with suppress(OSError):
        copy.getpeername()
        return True
    return False
