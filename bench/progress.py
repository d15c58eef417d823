"""Reports progress on stderr: one line that is overwritten on a terminal, else a line for each step."""

import sys

_WIDTH = 100
_last_step = ""


def say(step: str, detail: str = "") -> None:
    global _last_step  # noqa: PLW0603  # stderr belongs to the process
    if sys.stderr.isatty():
        print(f"\r{f'{step} {detail}'[:_WIDTH]:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
    elif step != _last_step:
        print(step, file=sys.stderr, flush=True)
    _last_step = step


def clear() -> None:
    """Erase the line on the terminal."""
    if sys.stderr.isatty():
        print(f"\r{'':<{_WIDTH}}\r", end="", file=sys.stderr, flush=True)
