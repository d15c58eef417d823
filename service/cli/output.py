"""Output of the commands, with secrets redacted."""

import sys

from telemetry.redaction import redact


def say(text: str) -> None:
    """Print a line to stdout."""
    sys.stdout.write(f"{redact(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> int:
    """Print a line to stderr. Returns 1, the exit code of a failed command."""
    sys.stderr.write(f"{redact(text)}\n")
    return 1
