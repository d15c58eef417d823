"""Lists the Pythons that the tests run on: each supported minor version that this machine has, once, the oldest first.

One line for each: its minor version, and the path of its program. A Python without `venv`, and one that does not start, is left out.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OLDEST = (3, 11)
NAME = re.compile(r"python3\.\d+")
ASK = "import ensurepip, sys, venv; print(sys.version_info.releaselevel, *sys.version_info[:3])"
START_TIMEOUT = 30.0


def main() -> int:
    found: dict[tuple[int, ...], Path] = {}
    for program in candidates():
        version = version_of(program)
        if version >= OLDEST:
            found.setdefault(version[:2], program)
    for (major, minor), program in sorted(found.items()):
        sys.stdout.write(f"{major}.{minor} {program}\n")
    return 0 if found else 1


def candidates() -> Iterator[Path]:
    """The programs of pyenv, the newest first, and then those on the PATH."""
    pyenv = Path.home().glob(".pyenv/versions/*/bin/python3")
    yield from sorted(pyenv, key=version_of, reverse=True)
    for folder in os.get_exec_path():
        if Path(folder).is_dir():
            yield from sorted(file for file in Path(folder).iterdir() if NAME.fullmatch(file.name))


@cache
def version_of(program: Path) -> tuple[int, ...]:
    """Return (3, 12, 1), or nothing if the program cannot make environments, or is no final release."""
    try:
        done = subprocess.run(  # noqa: S603  # the machine's own programs
            (program, "-c", ASK), capture_output=True, text=True, timeout=START_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    level, *version = done.stdout.split() or ("",)
    return tuple(map(int, version)) if level == "final" else ()


if __name__ == "__main__":
    sys.exit(main())
