"""The page of `docs/how-to/console.md` shows the code of `examples/library`, and names each page of the console."""

from telemetry.console.pages import PAGES
from tests.support.how_to_pages import HOW_TO, blocks
from tests.support.processes import ROOT

PAGE = HOW_TO / "console.md"
LIBRARY = ROOT / "examples" / "library"


def code(language="python"):
    return [block.text for block in blocks(PAGE) if block.language == language]


def test_the_page_of_books_is_that_of_the_example():
    [template] = code("html")

    assert code()[1] in (LIBRARY / "app.py").read_text("utf-8")
    assert template in (LIBRARY / "templates/books.html").read_text("utf-8")


def test_the_page_names_each_page_of_the_console():
    text = PAGE.read_text("utf-8")
    titles = [page.title for page in PAGES if page.in_navigation]

    assert [title for title in titles if f"\n| {title} | " not in text] == []
