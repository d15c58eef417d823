"""Again: the tests that failed while others ran beside them, once more and alone.

`.ci/run` runs three tests at once on two processors, each of them with several real processes. What fails there and passes alone is
named in a closing line of its own, for it is still a fault: of a test that waits for too little, or a race. More than a few are no accident.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
AT_MOST = 5


def main(marked: str) -> int:
    """Exit as pytest does: 0 only if each of the tests that failed passes now."""
    try:
        failed = sorted(json.loads(FAILED.read_text("utf-8")))
        FAILED.unlink()
    except (OSError, ValueError):
        failed = []
    if not 0 < len(failed) <= AT_MOST:
        sys.stdout.write(f"AGAIN: {len(failed)} tests failed; 1 to {AT_MOST} would be tried once more.\n")
        return 1
    tests = (sys.executable, "-m", "pytest", "-m", marked, "-p", "no:cacheprovider", *failed)
    result = subprocess.run(tests, cwd=ROOT, check=False).returncode  # noqa: S603  # our own environment's program
    how = "passed alone" if result == 0 else "failed again"
    sys.stdout.write(f"AGAIN: {len(failed)} failed beside others and {how}: {', '.join(failed)}\n")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
