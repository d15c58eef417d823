"""`python -m tools.stack`: docker-compose.yml in real containers, with a container engine of its own. Needs root and Debian."""

import argparse
import sys
import time

from tools import go_programs
from tools.build_cache import NotBuiltError
from tools.stack import debian, isolation


def _prepare() -> None:
    """Packages, programs of Go modules, and images: what is there already is not made again."""
    if reason := debian.unavailable():
        raise NotBuiltError(reason)
    began = time.monotonic()
    debian.install()
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  the engine's packages\n")
    began = time.monotonic()
    go_programs.build_for_stack()
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  the programs of Go modules\n")
    sys.stdout.flush()
    if isolation.run(sys.executable, "-m", "tools.stack.inside", "build", own_network=False):
        raise NotBuiltError("The images could not be built.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    parser.add_argument("command", choices=["build", "up", "test"], help="build images; run until Ctrl-C; run tests")
    arguments, others = parser.parse_known_args()
    try:
        _prepare()
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.command == "up":
        return isolation.run(sys.executable, "-m", "tools.stack.inside", "up", own_network=False)
    if arguments.command == "test":
        return isolation.run(sys.executable, "-m", "pytest", "tests/stack", "-m", "stack", *others, own_network=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
