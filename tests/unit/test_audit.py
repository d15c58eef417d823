"""The audit of the lock: it fails when something is known, and says so when nothing could be known."""

import runpy
from pathlib import Path

import service

judge = runpy.run_path(str(Path(service.__file__).parents[1] / ".ci" / "audit.py"))["judge"]
ADVISORY = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}


def test_a_known_vulnerability_fails_and_is_named_with_the_version_that_mends_it(capsys):
    found = [{"name": "a", "version": "1.0", "vulns": [ADVISORY]}, {"name": "b", "version": "1.0", "vulns": []}]

    assert judge(found) == 1
    assert "a 1.0: PYSEC-2026-1, fixed in 2.0" in capsys.readouterr().out


def test_what_could_not_be_looked_up_is_said(capsys):
    found = [{"name": "a", "version": "1.0", "vulns": []}, {"name": "b", "skip_reason": "not found"}]

    assert judge(found) == 0
    said = capsys.readouterr().out
    assert "NOT AUDITED: no advisories are to be had from here for b." in said
    assert "Audited 1 of 2 packages: 0 with known vulnerabilities." in said
