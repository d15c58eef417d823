"""The page Reviews by requests: what it shows, and what its forms do, with the marketplace and the model as fakes."""

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from service.advice.outcomes import DRAFTED, HELD, REFUSED, Draft
from service.advice.queue import AdviceQueue
from service.integrations.http.errors import Unreachable
from service.reviews.repository import ReviewRepository
from telemetry.console import database_reads
from telemetry.console.database_reads import DatabaseReads
from telemetry.database import transaction
from tests.support.fakes import NOON, a_review

TOKEN = "opensesame-opensesame-opensesame"
ORIGIN = {"origin": "http://127.0.0.1:8080"}


def a_draft(outcome=DRAFTED, text="Thank you!", **more):
    cost = {"model": "gpt-5.4-mini", "input_tokens": 400, "output_tokens": 60, "cost_usd": Decimal("0.000570")}
    return Draft(**{"outcome": outcome, "text": text, "reason": None} | cost | more)


class Outside:
    """A marketplace with one review, and a model that drafts what it is told to."""

    name, answer_length = "wb", 1000

    def __init__(self):
        self.review, self.written, self.drafts = a_review(1), [], []
        self.drafter = self

    def reviews(self, _marketplace):
        return self

    def draft(self, _subject, _answer_length):
        result = self.drafts.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def read(self, _external_id):
        return replace(self.review, as_of=datetime.now(UTC))

    def answer(self, _external_id, text):
        self.written.append(text)
        self.review = replace(self.review, answered=True, answer_text=text, answer_state="published")
        return False


@pytest.fixture
def outside():
    return Outside()


@pytest.fixture
def client_of(app_of, outside):
    """A browser of somebody on this machine, with one review in the database; a token is set unless it is None."""

    def make(token=TOKEN):
        app = app_of(ops_token=token)
        app.state.runtime.interactive_clients = outside
        with transaction(app.state.runtime.engine) as session:
            ReviewRepository(session).save([replace(outside.review, text="Broken <b>zip</b>")], NOON)
        client = TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)
        if token:
            assert client.post("/console/sign-in", data={"token": token}, headers=ORIGIN).status_code == 303
        client.app = app
        return client

    return make


@pytest.fixture
def client(client_of):
    return client_of()


def add_draft(client, draft):
    with transaction(client.app.state.runtime.engine) as session:
        AdviceQueue(session).add_draft(1, draft, NOON)


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def test_reviews_are_listed_and_filtered_and_each_has_a_page(client):
    page = client.get("/console/reviews")
    assert page.status_code == 200
    assert "Broken &lt;b&gt;zip&lt;/b&gt;" in page.text
    assert re.findall(r'<a href="/console/reviews/(\d+)"', page.text) == ["1"]
    assert "waiting" in text(page)

    for query, number in (("answered=waiting", 1), ("answered=answered", 0), ("marketplace=ozon", 0), ("rating=9", 1)):
        found = client.get(f"/console/reviews?{query}")
        assert len(re.findall(r'<a href="/console/reviews/\d+"', found.text)) == number, query


def test_a_query_that_makes_no_sense_is_told(client):
    for query in ("before=7", "before=x", "before=99999999999999999999", "answer_state=%00", "rating=-1"):
        page = client.get(f"/console/reviews?{query}")
        assert (page.status_code, "ot used." in page.text) == (200, True), query


def test_an_unknown_review_is_a_page_with_a_way_back(client):
    for review in ("2", "0", "-1", "x", "9" * 30, "%D9%A1"):
        page = client.get(f"/console/reviews/{review}")
        assert (page.status_code, 'href="/console"' in page.text) == (404, True), review


@pytest.mark.parametrize("path", ["/console/reviews", "/console/reviews/1"])
def test_a_database_that_hangs_takes_the_table_and_no_thread_of_the_pages(client, path, monkeypatch):
    monkeypatch.setattr(database_reads, "DEADLINE", 0.05)
    monkeypatch.setattr(database_reads, "LATE_DEADLINE", 0.01)
    monkeypatch.setattr("telemetry.console.parts.DATABASE_READS", DatabaseReads())
    end = threading.Event()
    for method in ("page", "get"):
        monkeypatch.setattr(ReviewRepository, method, lambda *_args, **_more: end.wait(60))

    pages = [client.get(path) for _ in range(6)]
    end.set()

    assert {page.status_code for page in pages} == {200}
    assert all("cannot be read now: the database " in page.text for page in pages)


def test_the_draft_is_published_by_its_button_and_the_page_shows_the_answer(client, outside):
    add_draft(client, a_draft())
    assert "Publish the draft" in text(client.get("/console/reviews/1"))

    done = client.post("/console/reviews/1/answer", headers=ORIGIN)

    assert (done.status_code, done.headers["location"]) == (303, "/console/reviews/1")
    assert outside.written == ["Thank you!"]
    page = client.get("/console/reviews/1")
    assert "The answer is published." in text(page)
    assert "Publish" not in text(page).replace("published", "")
    again = client.post("/console/reviews/1/answer", headers=ORIGIN)
    assert (again.status_code, outside.written) == (409, ["Thank you!"])


def test_a_text_of_ones_own_is_published_as_it_is(client, outside):
    given = {"text": " We are sorry.\r\nWrite to us. "}

    assert client.post("/console/reviews/1/answer", data=given, headers=ORIGIN).status_code == 303
    assert outside.written == ["We are sorry.\nWrite to us."]


def test_a_text_that_is_too_long_for_a_form_does_not_publish_the_draft_instead(client, outside):
    add_draft(client, a_draft())

    refused = client.post("/console/reviews/1/answer", data={"text": "я" * 12_000}, headers=ORIGIN)

    assert (refused.status_code, outside.written) == (413, [])


def test_a_held_draft_is_not_published_and_says_why(client, outside):
    add_draft(client, a_draft(HELD, "Call +7 900 123-45-67", failed_checks=("phone",)))
    page = client.get("/console/reviews/1")
    assert "Publish the draft" not in text(page)
    assert "telephone" in text(page)

    assert client.post("/console/reviews/1/answer", headers=ORIGIN).status_code == 409
    assert outside.written == []


@pytest.mark.parametrize(
    ("result", "status", "sentence"),
    [
        (a_draft(text="Another one"), 303, "There is a new draft."),
        (a_draft(HELD, "Call me", failed_checks=("phone",)), 303, "it is held"),
        (a_draft(REFUSED, None, reason="it is rude"), 303, "No draft was made (refused): it is rude."),
        (
            Unreachable("openai could not be asked: timed out.", may_have_applied=False),
            409,
            "openai could not be asked: timed out.",
        ),
    ],
)
def test_another_draft_is_made_or_it_is_told_why_not(client, outside, result, status, sentence):
    outside.drafts = [result]

    done = client.post("/console/reviews/1/advice", headers=ORIGIN)

    page = client.get("/console/reviews/1") if status == 303 else done
    assert (done.status_code, sentence in text(page)) == (status, True)


def test_without_a_token_nothing_is_published_and_the_page_says_what_is_missing(client_of, outside):
    client = client_of(token=None)
    add_draft(client, a_draft())

    assert "OPS_TOKEN" in text(client.get("/console/reviews/1"))
    refused = client.post("/console/reviews/1/answer", headers=ORIGIN)

    assert (refused.status_code, "needs OPS_TOKEN" in text(refused)) == (409, True)
    assert outside.written == []


def test_a_page_of_another_site_changes_nothing(client, outside):
    outside.drafts = [a_draft()]
    for action in ("answer", "advice"):
        foreign = client.post(f"/console/reviews/1/{action}", headers={"origin": "https://evil.example"})
        assert (foreign.status_code, outside.written, len(outside.drafts)) == (403, [], 1), action
