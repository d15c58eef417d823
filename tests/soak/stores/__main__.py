"""`python -m tests.soak.stores [--minutes 60]`: kills Prometheus and the Collector at random; exits 1 if a number is not true afterwards."""

import argparse
import logging
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.soak.stores.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.stores", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the kills; it is printed")
    parser.add_argument("--home", type=Path, help="an empty directory, in which what the programs wrote is kept")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    arguments = parser.parse_args()
    # Then the programs that it has started end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.getLogger(__name__).info("seed %d", arguments.seed)
    with tempfile.TemporaryDirectory(prefix="stores-", ignore_cleanup_errors=True) as home:
        table = run(arguments.minutes, arguments.home or Path(home), arguments.seed)
    sys.stdout.write(f"{table}\n{'Everything holds.' if table.holds else 'Not everything holds.'}\n")
    return 0 if table.holds else 1


if __name__ == "__main__":
    sys.exit(main())
