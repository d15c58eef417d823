"""Processes that serve at the socket of this one and are not in its group, such as those with another data directory."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from telemetry.processes.server_sockets import SocketsUnknown, own_server_sockets, socket_inodes

STARTUP: Final = 60.0
"""Seconds that a process that has inherited a socket may take until it has joined its group."""
_TABLES: Final = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
_LISTENING: Final = "0A"


def find_strangers(members: Iterable[int]) -> set[str]:
    """Name what serves at the same socket, or at the same address and port as the same user, besides these processes.

    Nothing where the system does not tell.
    """
    with suppress(SocketsUnknown):
        own = {each.inode for each in own_server_sockets()}
        pids = {*members, os.getpid()}
        sockets = _listeners_beside(own) - set().union(*map(_inodes, pids))
        siblings = [pid for pid in _settled_siblings() if pid not in pids and not own.isdisjoint(_inodes(pid))]
        return {*(f"socket {inode}" for inode in sockets), *(f"process {pid}" for pid in siblings)}
    return set()


def _listeners_beside(own: set[int]) -> set[int]:
    """The inodes of all sockets of this user that listen at an address and port of one of these."""
    rows = [row for table in _TABLES for row in _listeners(table)]
    addresses = {address for address, inode in rows if inode in own}
    return {inode for address, inode in rows if address in addresses}


def _listeners(table: Path) -> Iterator[tuple[str, int]]:
    """The address, as the system writes it, and the inode of each socket of this user that listens."""
    user = str(os.geteuid())
    with suppress(OSError), table.open() as lines:
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and fields[7] == user:
                yield f"{table.name} {fields[1]}", int(fields[9])


def _settled_siblings() -> Iterator[int]:
    for path in Path(f"/proc/{os.getppid()}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            yield from filter(_has_settled, map(int, path.read_text().split()))


def _has_settled(pid: int) -> bool:
    with suppress(psutil.Error):
        return time.time() - psutil.Process(pid).create_time() > STARTUP
    return False


def _inodes(pid: int) -> frozenset[int]:
    with suppress(OSError):
        return socket_inodes(pid)
    return frozenset()
