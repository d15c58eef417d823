"""`python -m tools.stack`: docker-compose.yml in real containers, with a container engine of its own. Needs root and Debian."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Final

from tools import go_programs
from tools.build_cache import NotBuiltError
from tools.stack import debian, isolation

_TESTS: Final = {"test": "stack", "test-open": "stack_open"}
"""The markers of the tests that a command runs."""
_WITHOUT_OPEN: Final = "stack and not stack_open"
_LEFT_OUT: Final = (
    "The profile open is left out: its stores are not built. `make stores` builds them, once, which takes minutes.\n"
)


def _prepare(*, is_open: bool) -> None:
    """Packages, programs of Go modules, and images: what is there already is not made again.

    Args:
        is_open: with those of the profile `open`.
    """
    if reason := debian.unavailable():
        raise NotBuiltError(reason)
    _timed("the engine's packages", debian.install)
    _timed("the programs of Go modules", go_programs.build_for_stack)
    if is_open:
        _timed("the stores of the profile open", go_programs.build_stores)
    build = "build-open" if is_open else "build"
    if isolation.run(sys.executable, "-m", "tools.stack.inside", build, own_network=False):
        raise NotBuiltError("The images could not be built.")


def _timed(what: str, do: Callable[[], object]) -> None:
    began = time.monotonic()
    do()
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {what}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    parser.add_argument(
        "command",
        choices=["build", "up", *_TESTS],
        help="build images; run until Ctrl-C; run tests; run those of the profile open",
    )
    arguments, others = parser.parse_known_args()
    is_open = arguments.command == "test-open" or (arguments.command == "test" and go_programs.are_stores_built())
    try:
        _prepare(is_open=is_open)
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.command == "up":
        return isolation.run(sys.executable, "-m", "tools.stack.inside", "up", own_network=False)
    if marked := _TESTS.get(arguments.command):
        return _test(marked if is_open else _WITHOUT_OPEN, others)
    return 0


def _test(marked: str, others: list[str]) -> int:
    code = isolation.run(sys.executable, "-m", "pytest", "tests/stack", "-m", marked, *others, own_network=True)
    if marked == _WITHOUT_OPEN:
        sys.stdout.write(_LEFT_OUT)
    return code


if __name__ == "__main__":
    sys.exit(main())
