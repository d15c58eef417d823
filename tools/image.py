"""`python -m tools.image DIRECTORY`: the steps of the Dockerfile, run in a clean directory where there is no container engine.

What the image has of Debian (packages, users, the owner of a directory) is left out, and said; everything else is run as it is written,
with each path of the image under the directory. Then what the image starts is started, and asked by its health check.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
_OF_DEBIAN: Final = ("apt-get", "rm -rf /var/lib/apt", "groupadd", "useradd")
_PATHS: Final = re.compile(
    r"(?<![\w./:])/(opt/(?:sovani|build)|srv|src|requirements(?:-build)?\.lock|var/lib/sovani|var/log/sovani-bot)\b"
)
_WITHIN: Final = 60.0
_PORT: Final = "18080"


class StepFailedError(RuntimeError):
    """A step of the Dockerfile did not do what it should; the message says which."""


def steps(text: str) -> Iterator[tuple[str, str]]:
    """The instructions with their arguments, each on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, " ".join(rest.split())


class Image:
    """What is made so far, under a directory in the place of `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment: dict[str, str] = {}
        self.health: list[str] = []
        self.start: list[str] = []

    def here(self, text: str) -> str:
        return _PATHS.sub(lambda found: f"{self.root}/{found[1]}", text)

    def take(self, word: str, rest: str) -> None:
        if step := getattr(self, f"_{word.lower()}", None):
            step(rest)

    def _run(self, rest: str) -> None:
        for command in rest.split(" && "):
            if command.startswith(_OF_DEBIAN):
                _say(f"left out  {command}")
                continue
            without_owner = re.sub(r"--(?:owner|group) \w+ ", "", command)
            _say(f"RUN       {without_owner}")
            done = subprocess.run(self.here(without_owner), shell=True, cwd=self.root, env=self._shell(), check=False)  # noqa: S602  # as Docker does
            if done.returncode:
                raise StepFailedError(f"exit code {done.returncode}: {command}")

    def _copy(self, rest: str) -> None:
        if rest.startswith("--from"):  # one directory for both stages
            return
        _say(f"COPY      {rest}")
        *sources, target = rest.split()
        for source in sources:
            to = Path(self.here(target))
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                to = to / source if target.endswith("/") and target != "/" else to
                to = self.root / source if target == "/" else to
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / source, to)

    def _workdir(self, rest: str) -> None:
        Path(self.here(rest)).mkdir(parents=True, exist_ok=True)

    def _env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            value = value.replace("$PATH", os.environ["PATH"])
            scheme, sign, path = value.rpartition("sqlite:///")
            self.environment[name] = f"{scheme}{sign}{self.here(path)}"

    def _healthcheck(self, rest: str) -> None:
        self.health = json.loads(rest.partition("CMD ")[2])

    def _entrypoint(self, rest: str) -> None:
        self.start = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self.start += json.loads(rest)

    def _shell(self) -> dict[str, str]:
        return {**os.environ, **self.environment}

    def size(self) -> int:
        """Bytes of what was installed and copied."""
        return sum(
            each.stat().st_size for top in ("opt", "srv") for each in (self.root / top).rglob("*") if each.is_file()
        )


def run_and_ask(image: Image) -> float:
    """Start what the image starts, until its health check is content. Returns after how many seconds it was.

    Raises:
        StepFailedError: it never was, or it did not stop in order.
    """
    environment = {**image.environment, "PORT": _PORT, "HOST": "127.0.0.1"}
    began = time.monotonic()
    with subprocess.Popen(_python(image, image.start), cwd=image.root / "srv", env=environment) as process:  # noqa: S603  # the image's own
        try:
            while True:
                asked = subprocess.run(_python(image, image.health), env=environment, capture_output=True, check=False)  # noqa: S603  # as above
                if asked.returncode == 0:
                    took = time.monotonic() - began
                    break
                if process.poll() is not None or time.monotonic() - began > _WITHIN:
                    raise StepFailedError(f"the health check failed: {asked.stderr.decode()[-300:]}")
                time.sleep(0.2)
        finally:
            process.terminate()
    if process.returncode not in {0, -15}:
        raise StepFailedError(f"it ended with {process.returncode} when it was told to stop")
    return took


def _python(image: Image, command: list[str]) -> list[str]:
    return [str(image.root / "opt/sovani/bin/python"), *command[1:]]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    parser.add_argument("directory", type=Path, help="where to; it must not be there yet")
    root: Path = parser.parse_args().directory.absolute()
    try:
        root.mkdir(parents=True)
        image = Image(root)
        for word, rest in steps((ROOT / "Dockerfile").read_text("utf-8")):
            image.take(word, rest)
        took = run_and_ask(image)
    except (StepFailedError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _say(
        f"It lives after {took:.1f} s, stops when it is told to, and takes {image.size() / 2**20:.0f} MiB beside Python and Debian."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
