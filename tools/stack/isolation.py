"""Runs a command in namespaces of its own, in which a container engine can be started and killed.

The kernel ends every process in them when their first one ends, and then takes their mounts, network interfaces and ports away. So nothing
is left behind, also after SIGKILL.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from tools.stack.debian import PATH, program

RUN: Final = Path("/run/sovani-stack")
"""The sockets and the state of the engine: in the namespaces an empty directory, outside of them an unused one.

It stays: removed, it would be gone for another run, too.
"""
CGROUP: Final = "sovani-stack"
_WITHIN: Final = 20.0
_START: Final = f"""
set -e
mount -t tmpfs tmpfs {RUN}
# Else the engine would use the containerd of the machine.
if [ -d /run/containerd ]; then mount -t tmpfs tmpfs /run/containerd; fi
ip link set lo up
exec docker-init -- "$@"
"""


def run(*command: str, own_network: bool) -> int:
    """Run the command to its end. Returns its exit code.

    Args:
        own_network: with a loopback interface and ports that the machine does not see, and without the machine's network.
    """
    RUN.mkdir(exist_ok=True)
    namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *(["--net"] if own_network else [])]
    # They end with this process, however it ends.
    start = [program("setpriv"), "--pdeathsig", "KILL", program("unshare"), *namespaces]
    before = _bridges()
    try:
        with _ended_by_a_signal():
            return _wait([*start, "sh", "-c", _START, "sh", *command])
    finally:
        _remove_bridges(_bridges() - before)
        _remove_cgroups()


def _wait(command: list[str]) -> int:
    with subprocess.Popen(command, env={**os.environ, "PATH": PATH}) as process:  # noqa: S603  # no shell reads it
        try:
            return process.wait()
        finally:
            process.kill()


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """SIGTERM ends this process in order, as Ctrl-C does."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bridges() -> set[str]:
    """The interfaces that may be an engine's networks. Those in a network of its own are gone with it."""
    return {path.name for path in Path("/sys/class/net").glob("br-*")}


def _remove_bridges(names: set[str]) -> None:
    for name in names:
        subprocess.run([program("ip"), "link", "delete", name], check=False)  # noqa: S603  # as above


def _remove_cgroups() -> None:
    """The kernel lets go of those of killed containers only after a moment."""
    end = time.monotonic() + _WITHIN
    while left := [path for path in Path("/sys/fs/cgroup").glob(f"**/{CGROUP}") if not _removed(path)]:
        if time.monotonic() > end:
            sys.stderr.write(f"These control groups are still in use: {', '.join(map(str, left))}\n")
            return
        time.sleep(0.1)


def _removed(group: Path) -> bool:
    for directory, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()
    return not group.exists()
