import json
from datetime import timedelta
from itertools import count, islice

import pytest

from service.integrations.http.errors import EndlessPages, Unreachable, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.marketplace import START, InvalidPayload
from service.integrations.wildberries.client import feedbacks_api
from service.integrations.wildberries.marketplace import WildberriesReviews
from tests.support.loopback import CUT, response
from tests.support.ozon_stub import NOON
from tests.support.wildberries_payloads import TOKEN, review, reviews_page
from tests.support.wildberries_stub import BEGINNING, Feedbacks, answered, created_second, id_set, numbered, read


@pytest.fixture
def five_a_page(monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.reviews.PAGE_SIZE", 5)


@pytest.fixture
def waiting(reviews):
    [source] = reviews.unanswered
    return source


@pytest.fixture
def history(reviews):
    source, _archive = reviews.history
    return source


def test_both_lists_are_read_to_their_end(server, waiting, history, five_a_page):
    server.script = Feedbacks(*map(numbered, range(12)), *map(answered, range(20, 33)))

    assert id_set(read(waiting)[0]) == {review(number)["id"] for number in range(12)}
    assert id_set(read(history)[0]) == {review(number)["id"] for number in range(20, 33)}
    assert {query["order"] for query in server.queries} == {"dateAsc"}


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("at_once", [4, 5, 6, 13])
def test_many_reviews_of_one_second_are_all_read(server, waiting, five_a_page, exclusive, at_once):
    crowd = [numbered(100 + number, minutes=100) for number in range(at_once)]
    after = [numbered(200 + number, minutes=200) for number in range(3)]

    for before in (0, 1, 3, 5, 7):
        rows = [*map(numbered, range(before)), *crowd, *after]
        server.script = Feedbacks(*rows)
        server.script.exclusive = exclusive
        assert id_set(read(waiting)[0]) == {row["id"] for row in rows}, before


def test_a_review_that_is_answered_meanwhile_makes_no_other_one_be_skipped(server, waiting, five_a_page):
    feedbacks = Feedbacks(*map(numbered, range(20)))
    feedbacks.after_each = lambda: feedbacks.rows.pop(0)
    server.script = feedbacks
    everything = {row["id"] for row in feedbacks.rows}

    assert id_set(read(waiting)[0]) == everything


def test_a_review_that_comes_meanwhile_is_read_too(server, waiting, five_a_page):
    feedbacks = Feedbacks(*map(numbered, range(8)))
    server.script = feedbacks
    late = iter(range(100, 103))
    feedbacks.after_each = lambda: feedbacks.rows.extend(numbered(number) for number in [next(late, None)] if number)

    assert review(100)["id"] in id_set(read(waiting)[0])


def test_an_empty_list_is_one_page(server, waiting, history):
    server.script = Feedbacks()

    assert read(waiting) == ([], START)
    assert read(history) == ([], {"newest": None, "whole": NOON.timestamp()})


def test_what_waits_is_read_as_a_whole_each_time(server, waiting, five_a_page):
    server.script = Feedbacks(*map(numbered, range(7)))

    rows, position = read(waiting)

    assert position == START
    assert id_set(read(waiting, position)[0]) == id_set(rows)


@pytest.mark.parametrize("minutes", [None, 5])
def test_a_reading_that_stopped_goes_on_where_it_was(server, waiting, five_a_page, minutes):
    rows = [numbered(number, minutes) for number in range(14)]
    server.script = Feedbacks(*rows)
    pages = waiting.pages(START)
    first = next(pages)
    second_page = next(pages)
    saved = json.loads(json.dumps(second_page.position))

    rest, position = read(waiting, saved)

    assert id_set(first.rows) | id_set(second_page.rows) | id_set(rest) == {row["id"] for row in rows}
    assert len(rest) < 12
    assert position == START


def test_the_history_is_read_on_from_a_week_before_the_newest(server, history, clock):
    server.script = Feedbacks(*(answered(number, minutes=number * 24 * 60) for number in range(20)))
    rows, position = read(history)
    clock.moment += timedelta(hours=23)

    again, following = read(history, json.loads(json.dumps(position)))

    assert len(rows) == 20
    assert id_set(again) == {review(number)["id"] for number in range(12, 20)}
    assert following == position
    assert int(server.queries[-1]["dateFrom"]) == created_second(answered(12, minutes=12 * 24 * 60))


def test_once_a_day_all_of_the_history_is_read(server, history, clock):
    server.script = Feedbacks(*(answered(number, minutes=number * 24 * 60) for number in range(20)))
    _, position = read(history)
    clock.moment += timedelta(hours=24, seconds=1)

    again, following = read(history, position)

    assert len(again) == 20
    assert following == position | {"whole": clock.moment.timestamp()}
    assert "dateFrom" not in server.queries[-1]


def test_a_whole_reading_that_stopped_goes_on_and_is_the_one_of_its_day(server, history, clock, five_a_page):
    server.script = Feedbacks(*(answered(number, minutes=number * 24 * 60) for number in range(20)))
    pages = history.pages(START)
    stopped = [next(pages), next(pages)]
    saved = json.loads(json.dumps(stopped[-1].position))
    began = clock.moment.timestamp()
    clock.moment += timedelta(hours=30)

    rest, position = read(history, saved)

    assert len(set.union(id_set(rest), *(id_set(page.rows) for page in stopped))) == 20
    assert len(rest) < 15
    assert position == {"newest": created_second(answered(19, minutes=19 * 24 * 60)), "whole": began}


def test_rows_of_history_that_cannot_be_read_move_nothing(server, history):
    server.script = lambda _request: response(reviews_page(answered(1, id=None), "no review", None))

    rows, position = read(history)

    assert [type(row) for row in rows] == [InvalidPayload] * 3
    assert position["newest"] is None


@pytest.mark.parametrize("number", [5, 6])
def test_a_service_that_does_not_look_at_the_place_is_not_read_for_ever(server, waiting, five_a_page, number):
    rows = [numbered(each) for each in range(number)]
    server.script = lambda _request: response(reviews_page(*rows))

    with pytest.raises(EndlessPages, match="the same page of reviews repeatedly"):
        read(waiting)

    assert [query["skip"] for query in server.queries] == ["0", "0", str(5)]


@pytest.mark.parametrize("seconds", [1, 2, 3])
def test_an_older_row_in_each_page_is_no_lack_of_progress(server, waiting, five_a_page, seconds):
    """The API gives rows from some seconds before the date, and many reviews are of one second."""
    crowd = [numbered(100 + number, minutes=100) for number in range(12)]
    older = numbered(50, minutes=100 - seconds / 60)
    rows = [numbered(0), older, *crowd, *map(numbered, range(200, 203))]
    server.script = Feedbacks(*rows)
    server.script.exclusive = -seconds

    assert id_set(read(waiting)[0]) == {row["id"] for row in rows}


def test_rows_without_a_date_or_an_id_are_no_repetition(server, waiting, five_a_page):
    pages = iter([[{"text": str(number)} for number in range(page * 5, page * 5 + 5)] for page in range(3)] + [[]])
    server.script = lambda _request: response(reviews_page(*next(pages)))

    assert len(read(waiting)[0]) == 15


def test_a_service_that_does_not_skip_is_not_read_for_ever(server, waiting, five_a_page):
    rows = [numbered(each, minutes=5) for each in range(5)]
    server.script = lambda _request: response(reviews_page(*rows))

    with pytest.raises(EndlessPages):
        read(waiting)


def test_a_second_without_an_end_is_read_as_far_as_it_may_be(server, waiting, five_a_page, monkeypatch):
    monkeypatch.setattr("service.integrations.wildberries.reviews.MAX_SKIP", 10)
    server.script = Feedbacks(*(numbered(each, minutes=5) for each in range(40)))
    pages = (row for page in waiting.pages(START) for row in page.rows)
    rows = []

    with pytest.raises(EndlessPages, match="more reviews of one second"):
        rows.extend(pages)

    assert [query["skip"] for query in server.queries] == ["0", "5", "10"]
    assert len(rows) == 15


def test_a_review_from_the_future_does_not_hide_those_that_come_later(server, history, clock):
    server.script = Feedbacks(answered(1), answered(2) | {"createdDate": "2099-01-01T00:00:00Z"})

    _, position = read(history)

    assert position["newest"] == int(clock.now().timestamp())


def test_dates_that_cannot_be_read_do_not_stop_the_reading(server, waiting, five_a_page):
    bad = [review(number, createdDate=None) for number in range(5)]
    pages = iter([bad, [numbered(number) for number in range(10, 12)]])
    server.script = lambda _request: response(reviews_page(*next(pages)))

    rows, _ = read(waiting)

    assert [row.created_at is None for row in rows] == [True] * 5 + [False] * 2
    assert server.queries[-1]["skip"] == "5"


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": {"feedbacks": None}}, [], "<html>"])
def test_an_answer_without_a_list_is_unreadable(server, waiting, body):
    server.script = lambda _request: response(body)

    with pytest.raises(Unreadable):
        read(waiting)


def test_what_was_read_before_a_failure_stays_read(server, waiting, five_a_page):
    feedbacks = Feedbacks(*map(numbered, range(12)))
    server.script = lambda request: feedbacks(request) if "dateFrom" not in request.query else CUT
    pages = waiting.pages(START)

    page = next(pages)

    assert len(page.rows) == 5
    with pytest.raises(Unreachable):
        next(pages)
    server.script = feedbacks
    assert len(id_set(page.rows) | id_set(read(waiting, page.position)[0])) == 12


@pytest.mark.parametrize("state", ["none", "wbRu", None, 7])
def test_a_processed_review_without_an_answer_waits_for_none_whatever_its_state_says(server, history, waiting, state):
    server.script = Feedbacks(numbered(1, state=state), numbered(2, state=state), processed=[review(1)["id"]])

    [processed], [waits] = read(history)[0], read(waiting)[0]

    assert (processed.external_id, processed.answered, processed.processed) == (review(1)["id"], False, True)
    assert (waits.external_id, waits.answered, waits.processed) == (review(2)["id"], False, False)


@pytest.mark.parametrize(("state", "processed"), [("none", False), ("wbRu", True), (None, False)])
def test_outside_a_list_the_state_says_whether_a_review_is_processed(server, reviews, state, processed):
    server.script = Feedbacks(numbered(1, state=state))

    assert reviews.read(review(1)["id"]).processed is processed


def test_a_date_ahead_hides_no_answer(server, history, clock):
    ahead = answered(2) | {"createdDate": "2099-01-01T00:00:00Z"}
    server.script = Feedbacks(answered(1), ahead)

    assert read(history)[1]["newest"] == int(clock.now().timestamp())


@pytest.mark.parametrize(("interval", "hours", "is_whole"), [(1 / 3, 25, True), (720.0, 25, False), (720.0, 169, True)])
def test_an_account_of_few_calls_reads_the_whole_history_once_a_week(
    server, client_of, clock, interval, hours, is_whole
):
    server.script = Feedbacks(answered(1))
    client = client_of(feedbacks_api(server.url, TOKEN))
    history, _ = WildberriesReviews(client, RateLimit("wb:slow", interval), clock.now).history
    _, position = read(history)
    clock.moment += timedelta(hours=hours)

    read(history, position)

    assert ("dateFrom" not in server.queries[-1]) is is_whole


@pytest.mark.parametrize("is_answered", [False, True])
def test_reviews_that_come_for_ever_are_for_the_next_reading(
    server, waiting, history, five_a_page, monkeypatch, is_answered
):
    monkeypatch.setattr("service.integrations.newer_rows.MAX_NEWER_ROWS", 10)
    make, source = (answered, history) if is_answered else (numbered, waiting)
    from_now = int((NOON - BEGINNING).total_seconds() / 60) + 1
    numbers = count()

    def five_more():
        feedbacks.rows.extend(make(100 + number, from_now + number) for number in islice(numbers, 5))

    feedbacks = Feedbacks(*map(make, range(7)))
    feedbacks.after_each = five_more
    server.script = feedbacks

    rows, position = read(source)

    assert id_set(rows) >= {review(number)["id"] for number in range(7)}
    assert "since" not in position
