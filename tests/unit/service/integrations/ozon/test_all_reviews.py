import pytest

from service.integrations.http.errors import EndlessPages
from service.integrations.marketplace import START
from service.integrations.ozon.marketplace import OzonReviews
from tests.support.ozon_stub import NOON, read, read_until_it_fails, review, reviews


@pytest.fixture
def history(ozon_client, ozon_clock):
    return OzonReviews(ozon_client, lambda skus: dict.fromkeys(skus, "Пижама"), ozon_clock.now).history[0]


def test_the_history_is_read_whole_once(ozon, history):
    ozon.enqueue(
        reviews(review(1, published_at="2026-11-20T08:00:00Z"), has_next=True, last_id="a"),
        reviews(review(2, published_at="2026-11-19T08:00:00Z", status="PROCESSED"), review(3, status=None)),
    )

    pages = read(history)

    newest = "2026-11-20T08:00:00+00:00"
    assert pages == [(["1"], {"newest": newest, "last_id": "a"}), (["2", "3"], {"newest": newest})]
    assert ozon.bodies[0] == {"limit": 100, "sort_dir": "ASC", "filters": {"status": "ALL"}}


def test_the_history_is_read_on_from_a_week_before_the_newest(ozon, history):
    ozon.enqueue(
        reviews(review(1, published_at="2026-11-20T08:00:00Z"), has_next=True, last_id="a"),
        reviews(review(2, published_at="2026-11-23T08:00:00Z")),
    )

    pages = read(history, {"newest": "2026-11-21T08:00:00+00:00"})

    assert pages[0][1] == {
        "newest": "2026-11-21T08:00:00+00:00",
        "last_id": "a",
        "from": "2026-11-14T08:00:00+00:00",
    }
    assert pages[1][1] == {"newest": "2026-11-23T08:00:00+00:00"}
    assert [body["filters"] for body in ozon.bodies] == [
        {"status": "ALL", "published_from": "2026-11-14T08:00:00.000Z"}
    ] * 2


def test_a_history_that_was_interrupted_keeps_the_moment_from_which_it_is_read(ozon, history):
    ozon.enqueue(reviews())

    pages = read(
        history,
        {"newest": "2026-11-23T08:00:00+00:00", "last_id": "a", "from": "2026-11-14T08:00:00+00:00"},
    )

    assert pages == [([], {"newest": "2026-11-23T08:00:00+00:00"})]
    assert ozon.bodies[0]["last_id"] == "a"
    assert ozon.bodies[0]["filters"]["published_from"] == "2026-11-14T08:00:00.000Z"


def test_a_first_history_that_was_interrupted_is_still_read_whole(ozon, history):
    ozon.enqueue(reviews())

    read(history, {"newest": "2026-11-23T08:00:00+00:00", "last_id": "a"})

    assert ozon.bodies[0]["filters"] == {"status": "ALL"}


def test_a_date_in_the_future_does_not_hide_what_is_published_until_then(ozon, history):
    ozon.enqueue(reviews(review(1, published_at="2099-01-01T00:00:00Z")))

    assert read(history) == [(["1"], {"newest": NOON.isoformat()})]


def test_a_history_of_nothing_leaves_nothing(ozon, history):
    ozon.enqueue(reviews())

    assert read(history) == [([], START)]


def test_a_history_without_an_end_is_begun_anew_from_where_it_began(ozon, history):
    ozon.enqueue(*[reviews(review(1, published_at="2026-11-23T08:00:00Z"), has_next=True, last_id="a")] * 2)
    began = {"newest": "2026-11-21T08:00:00+00:00"}

    assert read_until_it_fails(history, EndlessPages, began)[-1] == began


def test_a_history_whose_place_cannot_be_read_is_read_whole(ozon, history):
    ozon.enqueue(reviews())

    assert read(history, {"newest": "yesterday"}) == [([], START)]
    assert ozon.bodies[0]["filters"] == {"status": "ALL"}


def test_reviews_that_come_meanwhile_are_for_the_next_reading(ozon, ozon_client, ozon_clock, monkeypatch):
    monkeypatch.setattr("service.integrations.newer_rows.MAX_NEWER_ROWS", 2)
    marketplace = OzonReviews(ozon_client, lambda skus: dict.fromkeys(skus, "Пижама"), ozon_clock.now)
    hours = enumerate(range(10, 18, 2))
    rows = [review(number, published_at=f"2026-11-24T{hour:02}:00:00Z") for number, hour in hours]

    for source in (*marketplace.unanswered, *marketplace.history):
        ozon.enqueue(*(reviews(row, has_next=True, last_id=str(number)) for number, row in enumerate(rows)))

        pages = read(source)

        assert [numbers for numbers, _ in pages] == [["0"], ["1"], ["2"], ["3"]]
        assert "last_id" not in pages[-1][1]
