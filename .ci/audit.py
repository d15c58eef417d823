"""Audit: whether what the lock names has known vulnerabilities, as pip-audit finds it in the advisories of PyPI.

It fails when one is known. Where the advisories are not to be had it says so, and does not fail: who works without a network
cannot do better, and a green line that audited nothing must not look like one that did.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
WITHIN = 120.0
SHOWN = 5


def main() -> int:
    options = ("--disable-pip", "--require-hashes", "--progress-spinner=off", "--timeout=10", "--format=json")
    try:
        done = subprocess.run(  # noqa: S603  # our own environment's program
            (sys.executable, "-m", "pip_audit", *options, "-r", str(LOCK)),
            capture_output=True,
            text=True,
            timeout=WITHIN,
            check=False,
        )
        found = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return say(f"NOT AUDITED: the advisories did not come within {WITHIN:.0f} s.")
    except (ValueError, KeyError):
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return say(f"NOT AUDITED: the advisories are not to be had from here ({why[:200]}).")
    return judge(found)


def judge(found: list[dict[str, Any]]) -> int:
    bad = [each for each in found if each.get("vulns")]
    unknown = [each["name"] for each in found if "skip_reason" in each]
    for each in bad:
        for advisory in each["vulns"]:
            fixed = ", ".join(advisory["fix_versions"]) or "no version yet"
            say(f"{each['name']} {each['version']}: {advisory['id']}, fixed in {fixed}")
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        say(f"NOT AUDITED: no advisories are to be had from here for {', '.join(unknown[:SHOWN])}{more}.")
    say(f"Audited {len(found) - len(unknown)} of {len(found)} packages: {len(bad)} with known vulnerabilities.")
    return 1 if bad else 0


def say(text: str) -> int:
    sys.stdout.write(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
