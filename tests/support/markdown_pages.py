"""The pages for people: their headings, anchors, links and the paths that they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.processes import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
]
_FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"\[(?:[^\[\]`]|`[^`]*`|!\[[^\]]*\]\([^)]*\))*\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FOLDERS = r"service|telemetry|tests|docs|deploy|tools|bench|examples|migrations|\.ci|\.github"
_PATH = re.compile(rf"(?:{_FOLDERS})/[\w./*-]*")


class Link(NamedTuple):
    """`target` is a path relative to the page, an anchor, or both."""

    page: Path
    target: str


def text_of(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text("utf-8"))


def headings(page: Path) -> list[str]:
    return _HEADING.findall(text_of(page))


def anchors(page: Path) -> set[str]:
    """As GitHub and MyST make them of the headings; a heading that comes again gets a number."""
    found: dict[str, int] = {}
    for heading in headings(page):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = found[slug] = found.get(slug, -1) + 1
        if number:
            found[f"{slug}-{number}"] = 0
    return set(found)


def links(page: Path) -> Iterator[Link]:
    """The links that lead to the repository."""
    for target in _LINK.findall(_CODE.sub("code", text_of(page))):
        if not re.match(r"[a-z+]+:", target):
            yield Link(page, target)


def problem(link: Link) -> str:
    """What is wrong with a link; empty if it leads somewhere."""
    path, _, anchor = link.target.partition("#")
    page = (link.page.parent / path).resolve() if path else link.page
    if not page.exists():
        return f"{link.page.relative_to(ROOT)}: there is no file {path}"
    if anchor and page.suffix == ".md" and anchor not in anchors(page):
        return f"{link.page.relative_to(ROOT)}: {path or 'this page'} has no heading {anchor}"
    return ""


def paths(page: Path) -> Iterator[str]:
    """The paths of the repository that stand in backticks."""
    for code in _CODE.findall(text_of(page)):
        if _PATH.fullmatch(code):
            yield code


def is_path(path: str) -> bool:
    return any(ROOT.glob(path.rstrip("/"))) if "*" in path else (ROOT / path).exists()
