"""The code blocks of a documentation page, applied to a copy of the repository.

A block that begins with a comment `# path` is that file. A `diff` block changes the file that its `+++` line names. A `sh` block is
commands, and a `text` block is what they print.
"""

import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.processes import ROOT

HOW_TO: Final = ROOT / "docs" / "how-to"
_FENCE: Final = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_PATH: Final = re.compile(r"# ([\w./-]+\.\w+)\n")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, and its text without the indentation of a list."""

    language: str
    text: str


class DoesNotApply(AssertionError):
    """A diff of a page does not fit its file: the file changed, and the page has to follow."""


def blocks(page: Path) -> list[Block]:
    return [Block(each[2], textwrap.dedent(each[3])) for each in _FENCE.finditer(page.read_text("utf-8"))]


def commands(page: Path) -> list[str]:
    """The lines of the `sh` blocks; a line that ends with a backslash goes on in the next one."""
    text = "".join(block.text for block in blocks(page) if block.language == "sh")
    return text.replace("\\\n", "").splitlines()


def printed(page: Path) -> list[str]:
    return [block.text for block in blocks(page) if block.language == "text"]


def changed_files(pages: Iterable[Path]) -> dict[str, str]:
    """Each file that the pages write or change, with its text after all of them."""
    files: dict[str, str] = {}
    for block in (block for page in pages for block in blocks(page)):
        if block.language == "diff":
            path, text = _apply(block.text, files)
            files[path] = text
        elif (named := _PATH.match(block.text)) and block.language != "sh":
            files[named[1]] = block.text[named.end() :].lstrip("\n")
    return files


def _apply(diff: str, files: dict[str, str]) -> tuple[str, str]:
    header, *hunks = re.split(r"^@@.*\n", diff, flags=re.MULTILINE)
    [path] = re.findall(r"^\+\+\+ (\S+)$", header, re.MULTILINE)
    text = files.get(path) or (ROOT / path).read_text("utf-8")
    for hunk in hunks:
        before, after = ("".join(_side(hunk, sign)) for sign in "-+")
        found = [each.start() for each in re.finditer(f"^{re.escape(before)}", text, re.MULTILINE)]
        if len(found) != 1:
            raise DoesNotApply(f"{path} has {len(found)} times:\n{before}")
        text = text[: found[0]] + after + text[found[0] + len(before) :]
    return path, text


def _side(hunk: str, sign: str) -> Iterator[str]:
    """The lines before (`-`) or after (`+`) the change. An empty line of the page is an empty line of the file."""
    for line in hunk.splitlines(keepends=True):
        if line[0] in {" ", sign}:
            yield line[1:]
        elif line == "\n":
            yield line


def copy_repository(to: Path, files: dict[str, str]) -> None:
    """What git knows of the repository, with these files instead of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)
    for name, text in files.items():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_text(text, "utf-8")
