"""Terminal: what a command says to whoever ran it, with nothing secret in it."""

import sys

from telemetry.redaction import redact


def say(text: str) -> None:
    sys.stdout.write(f"{redact(text)}\n")
    sys.stdout.flush()


def complain(text: str) -> int:
    sys.stderr.write(f"{redact(text)}\n")
    return 1
