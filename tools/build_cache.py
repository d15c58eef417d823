"""What is built or installed once for the tests, and kept between runs, each under a name that says what it was made of."""

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

LIMIT: Final = 1800
"""Seconds that one step may take."""


class NotBuiltError(RuntimeError):
    """It cannot be had here; the message says why."""


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sovani"


def kept(name: str, *made_of: Path) -> Path:
    """Where it is, or will be. Made of other files it is another one."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()
    return cache() / f"{name}-{digest[:12]}"


def run(directory: str, *command: str, **environment: str) -> str:
    """What the command writes to its output.

    Raises:
        NotBuiltError: it failed.
    """
    try:
        # No shell, and nothing of it is somebody else's.
        done = subprocess.run(  # noqa: S603
            command,
            cwd=directory,
            env={**os.environ, **environment},
            timeout=LIMIT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise NotBuiltError(f"{Path(command[0]).name} failed: {error}") from error
    return done.stdout
