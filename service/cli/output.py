"""Output of the commands, with secrets redacted."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from service.cli.exit_codes import FAILURE
from telemetry.redaction import redact


def say(text: str) -> None:
    """Print a line to stdout."""
    write(sys.stdout, f"{redact(text)}\n")


def complain(text: str, code: int = FAILURE) -> int:
    """Print a line to stderr. Returns the exit code, by default that of a failed command."""
    write(sys.stderr, f"{redact(text)}\n")
    return code


def write(stream: TextIO, text: str = "") -> None:
    """Write the text and what is buffered. After the reader has ended, as with `| head`, the rest is discarded.

    The command completes then, and its exit code says how: a change that is half made would be worse than a line that is not read.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table, each column as wide as its widest cell."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def program() -> str:
    """How a user calls the commands: by the script of the wheel, or as a module."""
    return "sovani" if Path(sys.argv[0]).name == "sovani" else "python -m service"


def program_here() -> str:
    """The same, for a user who has not activated the virtual environment: with the path of its Python."""
    if program() == "sovani":
        return program()
    python = Path(sys.executable)
    if not python.is_relative_to(Path.cwd()):
        return program()
    return f"{python.relative_to(Path.cwd())} -m service"
