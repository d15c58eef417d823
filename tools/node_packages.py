"""Grafana's own `@grafana/data`, and `axe-core`, installed by npm as `tools/node/package-lock.json` says, once, and kept between runs.

`python -m tools.node_packages` installs what is not there yet. It needs Node.js and npm, and no browser.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.build_cache import NotBuiltError, kept, run

NODE: Final = Path(__file__).parent / "node"
CHECK: Final = NODE / "check.cjs"
_MADE_OF: Final = ("package.json", "package-lock.json", ".npmrc")


def packages() -> Path:
    """The directory that has its `node_modules`, or will have it."""
    return kept("node-packages", *(NODE / name for name in _MADE_OF))


def install() -> Path:
    """Returns the directory.

    Raises:
        NotBuiltError: there is no npm here, or it failed.
    """
    directory = packages()
    if directory.exists():
        return directory
    if not (npm := shutil.which("npm")):
        raise NotBuiltError(
            "npm is not on the PATH: it installs the packages that check dashboards and pages (https://nodejs.org)."
        )
    sys.stderr.write(f"Installing {directory.name} …\n")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as temporary:
        made = Path(temporary, "made")
        made.mkdir()
        for name in _MADE_OF:
            shutil.copy2(NODE / name, made)
        run(str(made), npm, "ci")
        # In one step, so that who looks meanwhile sees it whole or not at all.
        made.replace(directory)
    return directory


def main() -> int:
    try:
        sys.stdout.write(f"{install()}\n")
    except NotBuiltError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
