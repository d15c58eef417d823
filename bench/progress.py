"""Progress: what is being measured, on stderr; one line that is overwritten on a terminal, a line for each step elsewhere."""

import sys

_WIDTH = 100
_said = ""


def say(step: str, detail: str = "") -> None:
    global _said  # noqa: PLW0603  # what stands on stderr is the process's
    if sys.stderr.isatty():
        print(f"\r{f'{step} {detail}'[:_WIDTH]:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
    elif step != _said:
        print(step, file=sys.stderr, flush=True)
    _said = step


def clear() -> None:
    """Leave an empty line for the table."""
    if sys.stderr.isatty():
        print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
