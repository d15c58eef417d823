"""README is short, and the answers to common questions are two clicks away."""

import re
from pathlib import Path

import pytest

from tests.support.markdown_pages import links
from tests.support.processes import ROOT

README = ROOT / "README.md"
MAX_BYTES = 6 * 1024
MAX_CLICKS = 2


def within(clicks: int) -> set[Path]:
    """The pages that so many clicks reach from README."""
    pages = {README}
    for _ in range(clicks):
        found = [link for page in pages if page.suffix == ".md" for link in links(page)]
        pages |= {(link.page.parent / link.target.partition("#")[0]).resolve() for link in found}
    return pages


def test_readme_is_read_in_a_minute():
    assert len(README.read_bytes()) <= MAX_BYTES


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
