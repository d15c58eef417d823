"""Each link of the pages for people leads somewhere, and each path of the repository that they name is there."""

import pytest

from tests.support.markdown_pages import PAGES, Link, anchors, is_path, links, paths, problem

EXAMPLES = {"tests/unit/a/b/test_c.py"}
"""Paths that stand for others."""


def test_each_link_leads_to_a_file_and_a_heading():
    assert [(page.name, wrong) for page in PAGES for link in links(page) if (wrong := problem(link))] == []


def test_each_path_in_backticks_is_in_the_repository():
    named = [(page.name, path) for page in PAGES for path in paths(page)]

    assert [(page, path) for page, path in named if not is_path(path) and path not in EXAMPLES] == []


def test_the_pages_have_links_and_paths():
    assert sum(1 for page in PAGES for _ in links(page)) > 200
    assert sum(1 for page in PAGES for _ in paths(page)) > 50


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "# A `page` of mine\n\n## Twice\n\n## Twice\n\n## Message: `{n}` & more\n\n```\n# no heading\n[no](link)\n```\n"
        "[one](#twice-1) [two](page.md#a-page-of-mine) [`code` in it](other.md) [far](https://shop.example/#x) `[no](here)`\n"
    )
    return path


def test_anchors_are_those_of_github(page):
    assert anchors(page) == {"a-page-of-mine", "twice", "twice-1", "message-n--more"}


def test_links_in_code_and_to_other_hosts_are_left_out(page):
    assert [link.target for link in links(page)] == ["#twice-1", "page.md#a-page-of-mine", "other.md"]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("#twice", ""),
        ("page.md", ""),
        ("#thrice", "has no heading thrice"),
        ("page.md#Twice", "has no heading Twice"),
        ("gone.md", "there is no file gone.md"),
        ("../gone/", "there is no file ../gone/"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(page, monkeypatch, target, says):
    monkeypatch.setattr("tests.support.markdown_pages.ROOT", page.parent)

    assert says in problem(Link(page, target))
    assert bool(problem(Link(page, target))) == bool(says)
