"""The code of `docs/how-to/console.md` works, or is that of `examples/library`, and the page names each page of the console."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

import telemetry
from telemetry import setup
from telemetry.console.pages import PAGES
from tests.support.how_to_pages import HOW_TO, blocks
from tests.support.processes import ROOT

PAGE = HOW_TO / "console.md"
LIBRARY = ROOT / "examples" / "library"


def code(language="python"):
    return [block.text for block in blocks(PAGE) if block.language == language]


@pytest.fixture(autouse=True)
def _shut_down():
    yield
    telemetry.shutdown()


def application(*blocks):
    """A browser on this machine, at the application that these blocks make together."""
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)  # noqa: S102  # the code of the page
    telemetry.create_tables(setup.current().engine)
    return TestClient(names["app"], "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)


def test_the_first_block_gives_an_application_the_console():
    page = application(code()[0]).get("/console")

    assert page.status_code == 200
    assert "<title>Overview" in page.text


def test_the_schedule_of_the_page_is_shown_and_does_what_it_says(capsys):
    mounted, _example, schedule = code()
    client = application(mounted.replace("console.mount(app)\n", ""), schedule)
    page = client.get("/console/jobs")

    answers = {
        change: client.post(
            f"/console/jobs/sync_books/{change}", headers={"origin": "http://127.0.0.1:8080"}, data=form
        )
        for change, form in (("run", {}), ("pause", {"reason": "the warehouse is moved"}), ("resume", {}))
    }

    assert "sync_books" in page.text
    assert "every 15 min" in page.text
    assert {change: answer.status_code for change, answer in answers.items()} == {
        "run": 303,
        "pause": 409,
        "resume": 409,
    }
    assert capsys.readouterr().out == "console, from 127.0.0.1 starts sync_books\n"
    assert "This scheduler cannot be paused." in answers["pause"].text


def test_the_page_of_books_is_that_of_the_example():
    [template] = code("html")

    assert code()[1] in (LIBRARY / "app.py").read_text("utf-8")
    assert template in (LIBRARY / "templates/books.html").read_text("utf-8")


def test_the_page_names_each_page_of_the_console():
    text = PAGE.read_text("utf-8")
    titles = [page.title for page in PAGES if page.in_navigation]

    assert [title for title in titles if f"\n| {title} | " not in text] == []
