"""`python -m tools.words`: sentences that are too long, and words that the field does not use, in the texts that people read.

It reads README, CHANGELOG, CONTRIBUTING, SECURITY, the documentation, the rules' annotations, the help of the commands, the help of the metrics, and
the descriptions of the API. It prints each finding, and exits 1 if there is one.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from service.cli.parser import make_parser
from service.instruments import METRIC_MAPPINGS
from telemetry.metrics.vocabulary import VOCABULARY

ROOT: Final = Path(__file__).parent.parent
MAX_WORDS: Final = 30
MAX_PASSIVES: Final = 3
DIALECT: Final = (
    *("told", "untold", "whoever", "nobody", "somebody", "heads", "muted", "given up", "gives up", "mend", "mends"),
    *("a word", "wait their turn", "lets go", "let go", "the outside world", "way out", "sign of life", "at night"),
    *("fell into", "falls into", "pulse", "heir", "keeper", "desk", "specifics", "promised", "is gone", "are gone"),
)
_WORD: Final = re.compile(rf"\b({'|'.join(DIALECT)})\b", re.IGNORECASE)
_FENCE: Final = re.compile(r"```.*?```", re.DOTALL)
_CODE: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_SENTENCE: Final = re.compile(r"(?<=[.!?:])\s+(?=[A-Z`\[(])|\n\s*\n|\s·\s|;\s")
_PASSIVE: Final = re.compile(r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+)?\w+(?:ed|en|wn|pt|nt|lt|ld|ut)\b")


def main() -> int:
    found = [finding for where, text in texts() for finding in findings(where, text)]
    sys.stdout.writelines(f"{finding}\n" for finding in found)
    sys.stdout.write(f"{len(found)} findings in the words.\n")
    return 1 if found else 0


def findings(where: str, text: str) -> Iterator[str]:
    """One line for each sentence that is hard to read."""
    for sentence in sentences(text):
        words = sentence.split()
        if len(words) > MAX_WORDS:
            yield f"{where}: {len(words)} words: {sentence[:120]}"
        if (passives := len(_PASSIVE.findall(sentence))) >= MAX_PASSIVES:
            yield f"{where}: {passives} passives: {sentence[:120]}"
        if match := _WORD.search(sentence):
            yield f"{where}: {match[0]!r}: {sentence[:120]}"


def sentences(text: str) -> Iterator[str]:
    """The sentences of a Markdown text without its code, tables cell by cell."""
    text = _LINK.sub(r"\1", _CODE.sub("X", _FENCE.sub("\n\n", text)))
    text = re.sub(r"^\s*\|(.*)\|\s*$", lambda row: "\n\n".join(["", *row[1].split("|"), ""]), text, flags=re.MULTILINE)
    text = re.sub(r"^#+ .*$", "\n\n", text, flags=re.MULTILINE).replace("*", "")
    text = re.sub(r"^\s*(?:[-:]|\d+\.)\s", "\n\n", text, flags=re.MULTILINE)
    yield from (each for each in (" ".join(part.split()) for part in _SENTENCE.split(text)) if each)


def texts() -> Iterator[tuple[str, str]]:
    """All texts, each with the place where it is."""
    pages = [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
    for page in sorted(pages):
        yield str(page.relative_to(ROOT)), page.read_text("utf-8")
    for file in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")):
        yield from _annotations(file)
    for mapping in (*VOCABULARY, *METRIC_MAPPINGS):
        yield f"metric {mapping.name}", mapping.help
    yield from _help("sovani", make_parser("sovani"))


def _annotations(file: Path) -> Iterator[tuple[str, str]]:
    groups: list[dict[str, Any]] = yaml.safe_load(file.read_text("utf-8"))["groups"]
    for rule in [rule for group in groups for rule in group["rules"] if "annotations" in rule]:
        for name in ("summary", "description"):
            yield f"{file.name} {rule['alert']}", rule["annotations"].get(name, "")


def _help(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    yield name, parser.description or ""
    for action in parser._actions:  # noqa: SLF001  # argparse lists its arguments nowhere else
        if isinstance(action.choices, dict):
            for command, each in action.choices.items():
                yield from _help(f"{name} {command}", each)
        elif action.help:
            yield f"{name} {action.dest}", action.help


if __name__ == "__main__":
    sys.exit(main())
