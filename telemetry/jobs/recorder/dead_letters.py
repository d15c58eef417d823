"""Keeps the records that could not be recovered in files beside the spools, within a limit, for people to look at."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from telemetry import private_files

DIRECTORY: Final = "unreadable"
MAX_BYTES: Final = 16 * 2**20
"""Limit of all files; what exceeds it is dropped."""
_SUFFIX: Final = ".lines"


def put_aside(spools: Path, spool: str, lines: Iterable[bytes]) -> bool:
    """Append these lines of a spool to its file. Returns whether all of them fit, and the disk took them."""
    directory = spools / DIRECTORY
    try:
        private_files.make_directory(directory)
        room = MAX_BYTES - sum(path.stat().st_size for path in directory.iterdir())
        text = b"".join(line.rstrip(b"\n") + b"\n" for line in lines)
        if len(text) > room:
            return False
        private_files.make_file(path := directory / f"{spool}{_SUFFIX}")
        with path.open("ab") as file:
            file.write(text)
    except OSError:
        return False
    return True
