import json

import pytest

from service.integrations.http.errors import Unreachable
from service.integrations.marketplace import START
from tests.support.loopback import CUT, response
from tests.support.wildberries_payloads import review, reviews_page
from tests.support.wildberries_stub import Feedbacks, answered, created_second, id_set, ids, numbered, read

DAY = 24 * 60


@pytest.fixture
def archive(reviews):
    _processed, source = reviews.history
    return source


@pytest.fixture
def five_a_page(monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.reviews.PAGE_SIZE", 5)


def feedbacks(*rows):
    """A server whose rows without an answer are all in the archive."""
    return Feedbacks(*rows, archived=[row["id"] for row in rows if row["answer"] is None])


def test_ratings_alone_are_found_in_the_archive_and_wait_for_no_answer(server, archive, five_a_page):
    server.script = feedbacks(*(numbered(number, text="", pros="", cons="") for number in range(12)))

    rows, position = read(archive)

    assert id_set(rows) == {review(number)["id"] for number in range(12)}
    assert {(row.answered, row.processed) for row in rows} == {(False, True)}
    assert position == {"newest": created_second(numbered(11))}
    assert set(server.paths) == {"/api/v1/feedbacks/archive"}
    assert [query["order"] for query in server.queries] == ["dateDesc"] * 3


def test_answered_reviews_are_left_to_their_own_list(server, archive):
    server.script = feedbacks(numbered(1), answered(2))

    assert ids(read(archive)[0]) == [review(1)["id"]]


def test_the_archive_is_read_to_a_day_before_the_newest(server, archive, five_a_page):
    server.script = feedbacks(*(numbered(number, minutes=number * DAY // 4) for number in range(40)))
    _, position = read(archive)
    server.requests.clear()

    again, following = read(archive, position)

    assert len(server.requests) == 2
    assert {review(number)["id"] for number in range(35, 40)} <= id_set(again)
    assert following == position


def test_a_reading_that_was_cut_goes_on_where_it_was(server, archive, five_a_page):
    rows = [numbered(number) for number in range(17)]
    server.script = feedbacks(*rows)
    pages = archive.pages(START)
    first, second = next(pages), next(pages)

    rest, position = read(archive, json.loads(json.dumps(second.position)))

    assert id_set(first.rows) | id_set(second.rows) | id_set(rest) == {row["id"] for row in rows}
    assert len(rest) == 7
    assert position == {"newest": created_second(rows[-1])}


def test_new_reviews_while_pages_are_read_hide_none(server, archive, five_a_page):
    rows = [numbered(number) for number in range(20)]
    server.script = feedbacks(*rows)
    new = iter(range(100, 103))

    def another():
        if (number := next(new, None)) is not None:
            server.script.rows.append(numbered(number))
            server.script.archived.add(review(number)["id"])

    server.script.after_each = another

    assert {row["id"] for row in rows} <= id_set(read(archive)[0])


def test_a_date_ahead_hides_no_review(server, archive, clock):
    server.script = feedbacks(numbered(1))
    ahead = numbered(2, minutes=0) | {"createdDate": "2099-01-01T00:00:00Z"}
    server.script.rows.append(ahead)
    server.script.archived.add(ahead["id"])

    _, position = read(archive)

    assert position["newest"] == int(clock.now().timestamp())


@pytest.mark.parametrize("rows", [[None, "text", 7, []], [review(1) | {"createdDate": None}] * 5])
def test_rows_that_cannot_be_read_end_the_archive_where_it_ends(server, archive, five_a_page, rows):
    server.enqueue(response(reviews_page(*rows)), response(reviews_page()))

    read_rows, position = read(archive)

    assert len(read_rows) == len(rows)
    assert position == {"newest": None}


@pytest.mark.e2e
def test_behind_the_last_row_that_the_api_lets_be_read_the_archive_ends_and_says_so(
    server, archive, caplog, monkeypatch
):
    monkeypatch.setattr("service.integrations.wildberries.reviews.PAGE_SIZE", 50_000)
    full = reviews_page(*[None] * 50_000)
    server.script = lambda _request: response(full)

    _, position = read(archive)

    assert [int(query["skip"]) for query in server.queries] == [0, 50_000, 100_000, 150_000]
    assert position == {"newest": None}
    assert caplog.messages == ["wb returns only the newest 200000 archived reviews."]


def test_a_failure_leaves_the_position_of_the_page_before(server, archive, five_a_page):
    stub = feedbacks(*map(numbered, range(12)))
    server.script = lambda request: stub(request) if request.query["skip"] == "0" else CUT
    pages = archive.pages(START)

    assert next(pages).position == {"newest": created_second(numbered(11)), "skip": 5, "until": None}
    with pytest.raises(Unreachable):
        next(pages)
