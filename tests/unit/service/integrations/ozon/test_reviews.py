from datetime import timedelta

import pytest

from service.integrations.http.errors import EndlessPages, Forbidden, Rejected, TooManyRequests, Unreachable, Unreadable
from service.integrations.marketplace import START, InvalidPayload, Review
from service.integrations.ozon.marketplace import OzonReviews
from tests.support.ozon_stub import NOON, read, read_until_it_fails, review, reviews

NEW_FILTER = {"status": "NEW"}
FIRST = {"limit": 100, "sort_dir": "ASC", "filters": NEW_FILTER}


@pytest.fixture
def marketplace(ozon_client, ozon_clock):
    """Ozon's reviews, of which every product's name is known."""
    return OzonReviews(ozon_client, lambda skus: dict.fromkeys(skus, "Пижама"), ozon_clock.now)


def source_of(marketplace, name):
    return next(source for source in (*marketplace.unanswered, *marketplace.history) if source.name == name)


def test_it_says_what_it_is(marketplace):
    assert (marketplace.name, marketplace.answer_length) == ("ozon", 1000)
    assert [source.name for source in marketplace.unanswered] == ["ozon.reviews.new", "ozon.reviews.viewed"]
    assert [source.name for source in marketplace.history] == ["ozon.reviews"]


@pytest.mark.parametrize("status", ["NEW", "VIEWED"])
def test_what_waits_is_read_by_its_status_page_by_page_to_the_end(ozon, marketplace, status):
    ozon.enqueue(reviews(review(1), review(2), has_next=True, last_id="b"), reviews(review(3), last_id="c"))

    pages = read(source_of(marketplace, f"ozon.reviews.{status.lower()}"))

    first = {"limit": 100, "sort_dir": "ASC", "filters": {"status": status}}
    assert pages == [(["1", "2"], {"last_id": "b"}), (["3"], START)]
    assert ozon.requests == [("/v2/review/list", first), ("/v2/review/list", first | {"last_id": "b"})]


def test_a_list_that_is_empty_is_one_empty_page_from_which_it_begins_anew(ozon, marketplace):
    ozon.enqueue(reviews())

    assert read(marketplace.unanswered[0]) == [([], START)]


def test_a_reading_that_was_interrupted_goes_on_where_it_stopped(ozon, marketplace):
    ozon.enqueue(reviews(review(1), has_next=True, last_id="a"))
    ozon.enqueue("no", status=400)
    ozon.enqueue(reviews(review(2)))

    behind = read_until_it_fails(marketplace.unanswered[0], Rejected)

    assert behind == [{"last_id": "a"}]
    assert read(marketplace.unanswered[0], behind[-1]) == [(["2"], START)]
    assert ozon.bodies[-1] == FIRST | {"last_id": "a"}


def test_a_reading_goes_on_from_the_beginning_when_its_place_is_not_known_any_more(ozon, marketplace):
    ozon.refuse(400, 3, "Request validation error: invalid LastId")
    ozon.enqueue(reviews(review(1)))

    assert read(marketplace.unanswered[0], {"last_id": "gone"}) == [(["1"], START)]
    assert ozon.bodies == [FIRST | {"last_id": "gone"}, FIRST]


def test_a_list_without_an_end_is_said_once_and_begun_anew(ozon, marketplace):
    ozon.enqueue(*[reviews(review(1), has_next=True, last_id="a")] * 2)

    assert read_until_it_fails(marketplace.unanswered[0], EndlessPages) == [{"last_id": "a"}, START]
    assert len(ozon.requests) == 2


def test_a_missing_subscription_is_said_and_not_asked_again(ozon, marketplace):
    ozon.refuse(403, 7, "not available with existing subscription")

    assert read_until_it_fails(marketplace.unanswered[0], Forbidden, {"last_id": "a"}) == []
    assert len(ozon.requests) == 1


def test_a_place_that_cannot_be_read_is_none(ozon, marketplace):
    ozon.enqueue(reviews())

    read(marketplace.unanswered[0], {"last_id": 5})

    assert ozon.bodies == [FIRST]


def test_an_answer_of_the_old_version_is_unreadable(ozon, marketplace):
    ozon.enqueue({"result": {"reviews": []}})

    read_until_it_fails(marketplace.unanswered[0], Unreadable)


def test_a_row_that_cannot_be_read_does_not_stop_the_rest(ozon, marketplace):
    ozon.enqueue(reviews(review(1), review(2, status="ODD"), "no object", review(4, sku=None)))

    rows = next(iter(marketplace.unanswered[0].pages(START))).rows

    assert [type(row) for row in rows] == [Review, InvalidPayload, InvalidPayload, Review]


def test_a_page_is_as_of_the_moment_before_it_was_asked_for(ozon, marketplace):
    ozon.refuse(429, 8, "too many", retry_after="30")
    ozon.enqueue(reviews(review(1), has_next=True, last_id="a"), reviews(review(2)))

    rows = [row for page in marketplace.unanswered[0].pages(START) for row in page.rows]

    assert [row.as_of - NOON for row in rows] == [timedelta(0), timedelta(seconds=30)]


def test_names_that_are_not_known_come_with_the_page(ozon, ozon_client, ozon_clock):
    marketplace = OzonReviews(ozon_client, lambda _skus: {"5": "Халат"}, ozon_clock.now)
    ozon.enqueue(reviews(review(1), review(2, sku=5)), {"items": [{"sku": 1700223344, "name": "Пижама"}]})

    (page,) = marketplace.unanswered[0].pages(START)

    assert [row.product_name for row in page.rows] == ["Пижама", "Халат"]
    assert ozon.requests[1] == ("/v3/product/info/list", {"sku": ["1700223344"]})


def test_without_the_names_the_reviews_come_all_the_same(ozon, ozon_client, ozon_clock, caplog):
    marketplace = OzonReviews(ozon_client, lambda _skus: {}, ozon_clock.now)
    ozon.enqueue(reviews(review(1), has_next=True, last_id="a"))
    ozon.refuse(403, 7, "Api-Key is missing a required role for a method")
    ozon.enqueue(reviews(review(2)))

    pages = list(marketplace.unanswered[0].pages(START))

    assert [row.product_name for page in pages for row in page.rows] == [None, None]
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == ["WARNING"]


def test_one_review_is_read_as_it_is_now(ozon, marketplace):
    ozon.enqueue(review(1, photos=[{"url": "https://cdn.test/1"}]))

    found = marketplace.read("01931f2e")

    assert (found.external_id, found.answered, found.product_name) == (review(1)["id"], False, "Пижама")
    assert ozon.requests == [("/v2/review/info", {"review_id": "01931f2e"})]


def test_a_review_that_is_not_there_is_none(ozon, marketplace):
    ozon.refuse(404, 5, "review not found")

    assert marketplace.read("01931f2e") is None


def test_a_method_that_is_not_there_does_not_make_a_review_disappear(ozon, marketplace):
    ozon.enqueue("404 page not found", status=404)

    with pytest.raises(Rejected, match="no such method"):
        marketplace.read("01931f2e")


def test_one_review_that_cannot_be_read_is_invalid(ozon, marketplace):
    ozon.enqueue({"result": review(1)})

    assert isinstance(marketplace.read("01931f2e"), InvalidPayload)


def test_an_answer_is_written_and_the_review_is_marked_as_processed(ozon, marketplace):
    ozon.enqueue({"comment_id": "0193-c"})

    assert marketplace.answer("01931f2e", "Спасибо!") is True
    assert ozon.requests == [
        (
            "/v1/review/comment/create",
            {"review_id": "01931f2e", "text": "Спасибо!", "mark_review_as_processed": True},
        )
    ]


@pytest.mark.parametrize("answer", [{"comment_id": ""}, {"comment_id": None}, {}])
def test_an_answer_without_the_id_of_a_comment_proves_nothing(ozon, marketplace, answer):
    ozon.enqueue(answer)

    assert marketplace.answer("01931f2e", "Спасибо!") is False


def test_an_answer_is_not_sent_again_when_it_may_have_arrived(ozon, marketplace):
    ozon.enqueue("<html>", status=502)

    with pytest.raises(Unreachable) as failed:
        marketplace.answer("01931f2e", "Спасибо!")

    assert failed.value.may_have_applied
    assert len(ozon.requests) == 1


def test_an_answer_that_was_too_much_had_no_effect_and_is_sent_again(ozon, marketplace):
    ozon.refuse(429, 8, "You have reached request rate limit per second")
    ozon.enqueue({"comment_id": "0193-c"})

    assert marketplace.answer("01931f2e", "Спасибо!") is True
    assert len(ozon.requests) == 2
    assert not TooManyRequests("ozon", None).may_have_applied


def test_by_itself_it_reads_the_clock_of_the_machine(ozon, ozon_client):
    ozon.enqueue(review(1))

    found = OzonReviews(ozon_client, lambda skus: dict.fromkeys(skus, "Пижама")).read("01931f2e")

    assert found.as_of.tzinfo is not None
