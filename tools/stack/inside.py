"""What runs in the namespaces: `python -m tools.stack.inside build` makes the images, and `build-open` also those of the
profile `open`; `up` runs the containers until Ctrl-C.
"""

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from tools.build_cache import NotBuiltError
from tools.stack import engine, images
from tools.stack.project import API, GRAFANA, OPS_TOKEN, SANDBOX, Project

T = TypeVar("T")
MAX_SIZE: Final = 300 * 10**6
"""Bytes that the image of the service may take, as `docker images` counts them."""


def build(profile: str = "") -> None:
    """Build the images of what runs with this profile.

    Raises:
        NotBuiltError: a step failed, or the image of the service is larger than it may be.
    """
    with engine.started() as started:
        _timed("the base image", lambda: images.build_base(started))
        image = _timed("the image of the service", lambda: images.build_service(started))
        _timed("the stand-ins", lambda: images.build_stand_ins(started, profile))
        size = images.size(started, image)
        _say(f"{image} has {size / 10**6:.0f} MB.")
        if size > MAX_SIZE:
            raise NotBuiltError(f"That is more than {MAX_SIZE / 10**6:.0f} MB.")


def up() -> None:
    """Run the containers until SIGINT or SIGTERM.

    Raises:
        NotBuiltError: they did not start.
    """
    with engine.started() as started, tempfile.TemporaryDirectory(prefix="stack") as directory:
        project = Project(started, Path(directory))
        _timed("the containers", project.up)
        _say(
            f"API and console: {API} (token: {OPS_TOKEN})\nStand-in for Grafana: {GRAFANA}\n"
            f"Messages of the simulated Telegram: {SANDBOX}/phone\nCtrl-C stops all containers and removes them."
        )
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        _say("Stopping …")
        project.down()


def _timed(what: str, do: Callable[[], T]) -> T:
    began = time.monotonic()
    done = do()
    _say(f"{time.monotonic() - began:6.1f} s  {what}")
    return done


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_COMMANDS: Final[Mapping[str, Callable[[], None]]] = {
    "build": build,
    "build-open": partial(build, images.OPEN),
    "up": up,
}


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts what runs in the background without the first
        signal.signal(number, signal.default_int_handler)
    try:
        _COMMANDS[sys.argv[1]]()
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
