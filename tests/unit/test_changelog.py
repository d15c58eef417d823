"""CHANGELOG.md has the form of Keep a Changelog."""

import re
import tomllib
from datetime import date

import pytest

from tests.support.processes import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text("utf-8")
GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
MAX_LENGTH = 220
_VERSION = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})$")


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each heading of a version."""
    _introduction, *parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {heading: lines for heading, *lines in (part.splitlines() for part in parts)}


def faults(text: str) -> list[str]:
    """What is not as Keep a Changelog has it; nothing if all is."""
    unreleased, *versions = sections(text) or [""]
    found = [] if unreleased == "## [Unreleased]" else ["the first section is not [Unreleased]"]
    read = [match for heading in versions if (match := _VERSION.match(heading))]
    found += [f"no version with a date: {heading}" for heading in versions if not _VERSION.match(heading)]
    order = [(tuple(map(int, match.groups()[:3])), date.fromisoformat(match[4])) for match in read]
    found += [] if order == sorted(order, reverse=True) else ["the versions are not the newest first"]
    for heading, lines in sections(text).items():
        found += _faults_of_section(heading, [line for line in lines if line])
    return found


def _faults_of_section(heading: str, lines: list[str]) -> list[str]:
    groups = [line.removeprefix("### ") for line in lines if line.startswith("### ")]
    found = [] if groups == [group for group in GROUPS if group in groups] else [f"{heading}: its groups are {groups}"]
    if lines and not lines[0].startswith("### "):
        found.append(f"{heading}: an entry is in no group")
    entries = [line for line in lines if not line.startswith("### ")]
    return found + [
        f"{heading}: no short entry on one line: {entry}"
        for entry in entries
        if not (entry.startswith("- ") and entry.endswith(".") and len(entry) <= MAX_LENGTH)
    ]


def test_the_changelog_has_the_form_of_keep_a_changelog():
    assert faults(TEXT) == []


def test_the_newest_version_is_that_of_the_package():
    versions = [match for heading in sections(TEXT) if (match := _VERSION.match(heading))]
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

    assert ".".join(versions[0].groups()[:3]) == packaged


GOOD = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n## [1.1.0] - 2026-01-02\n\n### Fixed\n\n- B.\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## [Unreleased]", "## 1.2.0 (unreleased)"),
        ("[1.1.0] - 2026-01-02", "1.1.0 - 2026-01-02"),
        ("[1.1.0] - 2026-01-02", "[1.1.0]"),
        ("[1.1.0] - 2026-01-02", "[1.1.0] - 2 January 2026"),
        ("- B.\n", "- B.\n\n## [1.2.0] - 2026-01-03\n"),
        ("### Fixed", "### Bugs"),
        ("- B.\n", "- B.\n\n### Added\n\n- C.\n"),
        ("### Added\n", ""),
        ("- A.", "- A"),
        ("- A.", "A."),
        ("- A.", "- A\n  that goes on."),
        ("- A.", f"- {'A' * MAX_LENGTH}."),
    ],
)
def test_another_form_is_a_fault(old, new):
    assert faults(GOOD) == []
    assert len(faults(GOOD.replace(old, new))) >= 1
