"""The group of this process: the processes that serve together, and so are one page of `/metrics`.

They are found by the socket that they serve at: one that they have inherited from the same parent (its inode), or sockets of one
user with the same address and port (`SO_REUSEPORT`). `TELEMETRY_GROUP` names the group where that does not tell.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telemetry.processes.process_entry import is_alive, name_of
from telemetry.processes.server_sockets import ServerSocket, SocketsUnknown, own_server_sockets, socket_inodes

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NETWORK: Final = Path("/proc/self/ns/net")
_PROCESSES: Final = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """A group of processes.

    Attributes:
        name: the same in each of its processes; fit for the name of a directory.
        keeper: names the parent that has the socket: as long as that lives, the group may get new processes. May be empty.
    """

    name: str
    keeper: str = ""


def find_group(given_name: str | None, *, may_be_inherited: bool) -> ProcessGroup | None:
    """Find the group that this process belongs to.

    Args:
        given_name: the group's name, if `TELEMETRY_GROUP` says it.
        may_be_inherited: whether a socket is taken for inherited where the parent's are not shown. True as long as the process
            itself has opened none.

    Returns:
        None for a process that serves alone, or not at all.

    Raises:
        SocketsUnknown: no name is given, and the system does not show sockets.
    """
    try:
        sockets = own_server_sockets()
    except SocketsUnknown:
        if not given_name:
            raise
        sockets = []
    inherited = _inherited(sockets, may_be_inherited=may_be_inherited)
    keeper = f"{boot_id()}-{name_of(os.getppid())}" if inherited else ""
    name = f"named-{given_name}" if given_name else _name_by_sockets(sockets, inherited)
    return ProcessGroup(name, keeper) if name else None


def _name_by_sockets(sockets: list[ServerSocket], inherited: list[ServerSocket]) -> str:
    addresses = [each.address for each in sockets if each.is_reusable and (each.is_listening or each in inherited)]
    if addresses:
        return f"port-{_digest(boot_id(), _network(), str(os.geteuid()), min(addresses))}"
    return f"socket-{_digest(boot_id(), str(min(each.inode for each in inherited)))}" if inherited else ""


def is_keeper_alive(keeper: str) -> bool:
    """Whether a process that keeps a group lives, and is not one of an earlier start of the machine."""
    boot, _, name = keeper.partition("-")
    return boot == boot_id() and is_alive(name)


def boot_id() -> str:
    """Tells apart the inodes and pids of different starts of the machine."""
    with suppress(OSError):
        return _BOOT.read_text().strip().replace("-", "")[:12]
    return "0"


def _inherited(sockets: list[ServerSocket], *, may_be_inherited: bool) -> list[ServerSocket]:
    try:
        of_parent = socket_inodes(os.getppid()) if sockets else frozenset()
    except PermissionError:  # the parent is root, and this user is not
        return sockets if may_be_inherited else []
    except OSError:  # there is no parent in this container; or no `/proc`, as on macOS
        return sockets if may_be_inherited and not _PROCESSES.exists() else []
    return [each for each in sockets if each.inode in of_parent]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _network() -> str:
    """Tells apart the ports of containers."""
    with suppress(OSError):
        return str(_NETWORK.stat().st_ino)
    return ""
