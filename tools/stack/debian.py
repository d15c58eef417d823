"""What the stack needs of Debian: the packages of the engine, and the mirror that the machine's apt reads."""

import os
import shutil
from pathlib import Path
from typing import Final

from tools.build_cache import NotBuiltError, run

PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PACKAGES: Final = {
    "dockerd": "docker.io",
    "docker-init": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "debootstrap": "debootstrap",
    "pigz": "pigz",
    "ip": "iproute2",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
"""Each program, and the package that has it."""


def program(name: str) -> str:
    """Where it is.

    Raises:
        NotBuiltError: it is not installed.
    """
    found = shutil.which(name, path=PATH)
    if not found:
        raise NotBuiltError(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}")
    return found


def unavailable() -> str:
    """Why containers cannot be run on this machine; empty if they can."""
    if os.geteuid() != 0:
        return "The container engine needs root."
    if not shutil.which("apt-get"):
        return "The base image is made with Debian's debootstrap, and this machine has no apt-get."
    return ""


def install() -> None:
    """Install what is missing. The engine is not started: it would be the machine's, and not the stack's own.

    Raises:
        NotBuiltError: apt-get failed.
    """
    missing = {package for name, package in PACKAGES.items() if not shutil.which(name, path=PATH)}
    if not missing:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run("/", "apt-get", "update", "--quiet=2", **quiet)
    run("/", "apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *sorted(missing), **quiet)


def repositories(release: str) -> list[str]:
    """The lines of `sources.list` for another release of Debian, from the servers that this machine uses.

    Raises:
        NotBuiltError: apt knows no server of Debian.
    """
    written = run("/", "apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages")
    known = dict(line.split("|", 1) for line in written.splitlines() if line.startswith("Debian"))
    if "Debian" not in known:
        raise NotBuiltError("apt has no server of Debian in its sources, or `apt-get update` has not been run.")
    suites = {"Debian": (release, f"{release}-updates"), "Debian-Security": (f"{release}-security",)}
    return [f"deb {known[label]} {suite} main" for label in suites if label in known for suite in suites[label]]


def make_root(release: str, directory: Path) -> None:
    """A root directory with the smallest Debian, without manuals and translations, that uses this machine's servers.

    Raises:
        NotBuiltError: debootstrap failed.
    """
    lines = repositories(release)
    server = lines[0].split()[1]
    run("/", program("debootstrap"), "--variant=minbase", release, str(directory), server, PATH=PATH)
    (directory / "etc/apt/sources.list").write_text("\n".join(lines) + "\n", "utf-8")
    left_out = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"]
    (directory / "etc/dpkg/dpkg.cfg.d/slim").write_text("".join(f"path-exclude /{each}/*\n" for each in left_out))
    for name in (*left_out, "var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for name in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
        (directory / name).mkdir(parents=True)
