"""README is short, its links lead somewhere, and the answers to common questions are two clicks away."""

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

README = ROOT / "README.md"
MAX_BYTES = 6 * 1024
MAX_CLICKS = 2
ROOT_PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def links(page: Path) -> set[tuple[Path, str]]:
    """The files of the repository that a page links to, each with the anchor, which may be empty."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    return {((page.parent / path).resolve() if path else page, anchor) for path, anchor in _LINK.findall(text)}


def anchors(page: Path) -> set[str]:
    """Those of the headings, as repositories and the documentation's site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings}


def within(clicks: int) -> set[Path]:
    """The pages that so many clicks reach from README."""
    pages = {README}
    for _ in range(clicks):
        pages |= {target for page in pages if page.suffix == ".md" for target, _ in links(page)}
    return pages


def test_readme_is_read_in_a_minute():
    assert len(README.read_bytes()) <= MAX_BYTES


@pytest.mark.parametrize("name", ROOT_PAGES)
def test_the_links_of_a_page_lead_to_files_and_headings_that_there_are(name):
    page = ROOT / name
    found = links(page)

    assert [target for target, _ in found if not target.exists()] == []
    assert [(target.name, anchor) for target, anchor in found if anchor and anchor not in anchors(target)] == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("label values of external_api_requests_total", r"### `external_api_requests_total`\n[^#]*- label `status`"),
        ("what to do when the scheduler was not running", r"## Message: The scheduler was not running"),
        ("alerts on the phone", r"BotFather"),
        ("which model of OpenAI", r"### Choose a model"),
        ("what is stable", r"## What is stable"),
        ("what does this message mean", r"wb does not accept the token"),
    ],
)
def test_an_answer_is_two_clicks_away(question, answer):
    pages = [page for page in within(MAX_CLICKS) if page.suffix == ".md"]

    assert [page.name for page in pages if re.search(answer, page.read_text("utf-8"))], question
