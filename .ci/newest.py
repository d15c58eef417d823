"""Newest: the unit tests of the telemetry against the newest releases of all that it is built on, whatever its bounds say.

It only reports: what fails here is what the next release of a package will break. It never fails, and takes seven minutes at most.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHIN = 420.0
SHOWN = 20
# What the tests of the telemetry do without, of which some need each other in older versions; and SQLAlchemy 2.1, which the published instrumentation refuses.
LEFT_OUT = ("coverage", "import-linter", "mypy", "pip-audit", "ruff", "schemathesis", "types-", "django", "flask")
EXAMPLES = tuple(f"opentelemetry-instrumentation-{name}" for name in ("django", "flask", "starlette"))
HELD = {"sqlalchemy": "sqlalchemy<2.1"}


def requirements() -> list[str]:
    """The names of all packages of pyproject.toml, without their bounds."""
    file = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = file["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    named = [*project["dependencies"], *extras, *file["dependency-groups"]["dev"]]
    names = [re.split(r"[<>=~! ]", each)[0] for each in named]
    return [HELD.get(name, name) for name in names if not name.startswith((*LEFT_OUT, *EXAMPLES))]


def main() -> int:
    end = time.monotonic() + WITHIN
    with tempfile.TemporaryDirectory(prefix="newest-") as directory:
        venv.create(directory, with_pip=True, symlinks=True)
        python = f"{directory}/bin/python"
        try:
            run((python, "-m", "pip", "install", "--quiet", *requirements()), end)
            versions = run((python, "-m", "pip", "list", "--format=freeze"), end)
            tests = ("-m", "pytest", "-q", "-n", "2", "-m", "not e2e", "-W", "default", "tests/unit/telemetry")
            return report(versions, run((python, *tests), end, check=False))
        except subprocess.TimeoutExpired:
            return say(f"NEWEST: not done within {WITHIN:.0f} s.")
        except subprocess.CalledProcessError as error:
            why = (error.stderr.strip().splitlines() or ["it says nothing"])[-1]
            return say(f"NEWEST: not tried, the packages are not to be had ({why[:200]}).")


def run(command: Sequence[str], end: float, *, check: bool = True) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(  # noqa: S603  # our own environment's programs
        command,
        capture_output=True,
        text=True,
        timeout=max(1.0, end - time.monotonic()),
        check=check,
        cwd=ROOT,
        env=environment,
    )
    return done.stdout if check else f"{done.stderr}\n{done.stdout}"


def report(versions: str, tests: str) -> int:
    for name in (
        "opentelemetry-sdk",
        "opentelemetry-instrumentation",
        "fastapi",
        "starlette",
        "sqlalchemy",
        "pydantic",
    ):
        if found := re.search(rf"^{name}==(\S+)", versions, re.MULTILINE | re.IGNORECASE):
            say(f"NEWEST: {name} {found[1]}")
    failed = [line for line in tests.splitlines() if line.startswith(("FAILED", "ERROR"))]
    for line in failed[:SHOWN]:
        say(f"NEWEST: {line[:300]}")
    last = (tests.strip().splitlines() or ["no output"])[-1].strip("= ")
    if "passed" not in last:
        return say(f"NEWEST: the tests do not start ({last[:200]}).")
    return say(f"NEWEST: {len(failed)} of the telemetry's unit tests fail or are in error [{last}].")


def say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
