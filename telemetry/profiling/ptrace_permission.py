"""Why py-spy may not read a process, and what permits it."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_YAMA: Final = Path("/proc/sys/kernel/yama/ptrace_scope")
_STATUS: Final = Path("/proc/self/status")
_USER_IDS: Final = Path("/proc/self/uid_map")
_ALL_USERS: Final = ["0", "0", "4294967295"]
_ROOT: Final = "root"
_CAP_SYS_PTRACE: Final = 1 << 19
_PR_SET_PTRACER: Final = 0x59616D61
_CONTAINER_SIGNS: Final = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))
_IN_CONTAINERS: Final = (
    "Docker and Compose: exec --privileged --user root. "
    "Kubernetes: a container of the pod with runAsUser 0 and SYS_PTRACE (docs/how-to/profile.md)"
)
_DISABLED: Final = 3


def why_refused(pid: int) -> str:
    """A sentence without its full stop: what keeps this user from reading the process, and what permits it."""
    owner = _owner(pid)
    if os.geteuid() and owner not in {"", _own_name()}:
        return f"it belongs to the user {owner}: run this command as {owner}{'' if owner == _ROOT else ', or as root'}"
    scope = _ptrace_scope()
    if scope == _DISABLED:
        return "kernel.yama.ptrace_scope is 3: no process may be traced until the machine is started with a lower value"
    if _in_container():
        return f"this command lacks the capability SYS_PTRACE in this container. {_IN_CONTAINERS}"
    if scope and os.geteuid():
        return f"kernel.yama.ptrace_scope is {scope}: run this command as root, or sysctl kernel.yama.ptrace_scope=0"
    return _capability_lacks()


def _capability_lacks() -> str:
    if os.geteuid():
        return f"this command lacks the capability SYS_PTRACE: run it as root. {_IN_CONTAINERS}"
    if _in_user_namespace():
        return (
            "this command is root of a user namespace only: "
            "run it as root of the machine, or in the namespace of the process"
        )
    return f"this command is root without the capability SYS_PTRACE: run it with that capability. {_IN_CONTAINERS}"


def allow_children() -> None:
    """Permit the children of this process to read it, where the kernel asks for that (kernel.yama.ptrace_scope=1)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PTRACER, os.getpid(), 0, 0, 0)


def disallow_children() -> None:
    """Take the permission back."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PTRACER, 0, 0, 0, 0)


def _owner(pid: int) -> str:
    try:
        return psutil.Process(pid).username()
    except psutil.Error:
        return ""


def _own_name() -> str:
    return psutil.Process().username()


def _ptrace_scope() -> int:
    try:
        return int(_YAMA.read_text())
    except (OSError, ValueError):  # a kernel without it
        return 0


def _in_container() -> bool:
    return not _has_capability() and any(sign.exists() for sign in _CONTAINER_SIGNS)


def _in_user_namespace() -> bool:
    """Whether root here is not root of the machine, as in a rootless container."""
    with suppress(OSError):
        return _USER_IDS.read_text().split() != _ALL_USERS
    return False


def _has_capability() -> bool:
    with suppress(OSError, ValueError, StopIteration):
        line = next(each for each in _STATUS.read_text().splitlines() if each.startswith("CapEff:"))
        return bool(int(line.split()[1], 16) & _CAP_SYS_PTRACE)
    return False
