"""The code blocks of `docs/how-to/console.md` run, or are those of `examples/library`."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
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


def test_the_application_of_the_page_has_the_console_and_the_schedule(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/library.db")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    mounting, _, schedule = code()
    names: dict[str, object] = {}
    try:
        exec(mounting, names)  # noqa: S102  # the code of our own page
        first = names["app"]
        names["app"] = second = FastAPI(title="library")
        exec(schedule, names)  # noqa: S102  # the same

        assert isinstance(first, FastAPI)
        assert "library" in browser(first).get("/console").text
        jobs = browser(second).get("/console/jobs")
        assert (jobs.status_code, "every 15 min" in jobs.text) == (200, True)
    finally:
        telemetry.shutdown()


def browser(app):
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711))


def test_the_page_names_each_page_of_the_console():
    text = PAGE.read_text("utf-8")
    titles = [page.title for page in PAGES if page.in_navigation]

    assert [title for title in titles if f"\n| {title} | " not in text] == []
