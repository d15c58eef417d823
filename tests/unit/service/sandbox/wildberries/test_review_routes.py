from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from service.sandbox.wildberries.products import PRODUCTS
from tests.support.wildberries_sandbox import LIST, ROOT, WildberriesSeller

# what Wildberries says is Russian

FIELDS = {
    "id": str,
    "text": str,
    "pros": str,
    "cons": str,
    "productValuation": int,
    "createdDate": str,
    "answer": dict | None,
    "state": str,
    "productDetails": dict,
    "photoLinks": list | None,
    "video": dict | None,
    "wasViewed": bool,
    "userName": str,
    "matchingSize": str,
    "orderStatus": str,
    "isAbleSupplierFeedbackValuation": bool,
    "supplierFeedbackValuation": int,
    "isAbleSupplierProductValuation": bool,
    "supplierProductValuation": int,
    "isAbleReturnProductOrders": bool,
    "returnProductOrdersDate": str | None,
    "bables": list | None,
    "lastOrderShkId": int,
    "lastOrderCreatedAt": str,
    "color": str,
    "subjectId": int,
    "subjectName": str,
    "parentFeedbackId": str | None,
    "childFeedbackId": str | None,
}


@pytest.fixture
def make_seller(make_environment, make_client, clock):
    return lambda **options: WildberriesSeller(make_environment(wb_limits=False, **options), make_client, clock)


@pytest.fixture
def shop(make_seller):
    return make_seller()


def everything(shop):
    return [*shop.reviews("true"), *shop.reviews("false")]


def created(review):
    return datetime.fromisoformat(review["createdDate"])


def archive(shop):
    return shop.client.get(f"{LIST}/archive", params={"take": 5000, "skip": 0}).json()["data"]["feedbacks"]


def test_a_list_comes_in_its_envelope(shop):
    body = shop.list().json()

    assert list(body) == ["data", "error", "errorText", "additionalErrors"]
    assert (body["error"], body["errorText"], body["additionalErrors"]) == (False, "", None)
    assert body["data"]["countUnanswered"] == len(body["data"]["feedbacks"]) > 0
    assert body["data"]["countArchive"] == len(archive(shop)) > 0


def test_each_review_has_every_field_of_its_type(shop):
    reviews = everything(shop)

    for review in reviews:
        assert review.keys() == FIELDS.keys()
        assert {name for name, kind in FIELDS.items() if not isinstance(review[name], kind)} == set()
        assert review["productDetails"].keys() == {
            "imtId", "nmId", "productName", "supplierArticle", "supplierName", "brandName", "size",
        }  # fmt: skip
        assert datetime.fromisoformat(review["lastOrderCreatedAt"]) < created(review)
    assert len({review["id"] for review in reviews}) == len(reviews)
    assert {len(review["id"]) for review in reviews} == {20}


def test_what_may_be_missing_is_missing_now_and_then(make_seller):
    reviews = everything(make_seller(wb_reviews=800))

    for name in ("photoLinks", "video", "bables", "returnProductOrdersDate", "answer", "parentFeedbackId"):
        assert {review[name] is None for review in reviews} == {True, False}, name
    for name in ("supplierArticle", "supplierName", "brandName"):
        assert {review["productDetails"][name] is None for review in reviews} == {True, False}, name
    assert {review["userName"] == "" for review in reviews} == {True, False}
    assert {review["productDetails"]["size"] == "0" for review in reviews} == {True, False}
    assert {review["text"] == "" and review["pros"] != "" for review in reviews} == {True, False}


def test_some_reviews_are_a_rating_alone(shop):
    reviews = everything(shop)

    bare = [review for review in reviews if not (review["text"] or review["pros"] or review["cons"])]

    assert 0.03 < len(bare) / len(reviews) < 0.3


def test_texts_vary_and_fit_their_rating(shop):
    reviews = everything(shop)

    texts = [review["text"] for review in reviews if review["text"]]

    assert Counter(review["productValuation"] for review in reviews).keys() == {1, 2, 3, 4, 5}
    assert len(set(texts)) > 0.8 * len(texts)
    assert "Рекомендую!" not in "".join(review["text"] for review in reviews if review["productValuation"] < 3)


def test_creation_dates_come_in_both_forms(shop):
    dates = [review["createdDate"] for review in everything(shop)]

    assert {date[19:] for date in dates} == {"Z", "+03:00"}


def test_both_forms_of_a_date_mean_the_same_clock(shop):
    ascending = [created(review) for review in shop.reviews(order="dateAsc")]

    assert ascending == sorted(ascending)
    assert ascending[-1] <= datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_processed_and_the_unanswered_are_two_lists(shop):
    processed, unanswered = shop.reviews("true"), shop.reviews("false")
    answered = [review for review in processed if review["answer"]]

    assert {review["answer"] is None for review in unanswered} == {True}
    assert {(review["state"], review["wasViewed"]) for review in answered} == {("wbRu", True)}
    assert {review["state"] for review in unanswered} == {"none"}
    assert {review["answer"]["state"] for review in answered} == {"wbRu"}
    assert 0.45 < len(answered) / 160 < 0.65


def test_a_review_can_be_processed_without_an_answer_and_its_state_may_not_say_so(make_seller):
    shop = make_seller(wb_reviews=600)
    marked = [review for review in shop.reviews("true") if review["answer"] is None]

    assert 6 <= len(marked) <= 40
    assert {review["state"] for review in marked} == {"wbRu", "none"}
    assert {review["id"] for review in marked} < {review["id"] for review in archive(shop)}
    assert {review["id"] for review in marked}.isdisjoint(shop.unanswered())


def test_a_review_that_was_processed_without_an_answer_can_still_be_answered(shop):
    marked = next(review for review in shop.reviews("true") if review["answer"] is None)

    shop.answer(marked["id"])

    assert shop.review(marked["id"])["answer"]["text"] == "Спасибо за отзыв!"


def test_a_list_is_newest_first_unless_asked_otherwise(shop):
    ids = [review["id"] for review in shop.reviews()]

    assert [review["id"] for review in shop.reviews(order="dateDesc")] == ids
    assert [review["id"] for review in shop.reviews(order="dateAsc")] == ids[::-1]


def test_pages_make_up_the_list(shop):
    whole = shop.reviews("true")

    pages = [shop.reviews("true", take=30, skip=skip) for skip in range(0, 120, 30)]

    assert [review for page in pages for review in page] == whole
    assert len(pages[0]) == 30
    assert shop.reviews("true", skip=len(whole)) == []


def test_a_list_can_be_of_one_product(shop):
    nm_id = PRODUCTS[0].nm_id

    reviews = shop.reviews("true", nmId=nm_id)

    wanted = [review for review in shop.reviews("true") if review["productDetails"]["nmId"] == nm_id]
    assert reviews == wanted != []


def test_a_window_of_dates_includes_both_its_ends(shop):
    reviews = shop.reviews(order="dateAsc")
    first, last = (int(created(review).timestamp()) for review in (reviews[3], reviews[7]))

    assert shop.reviews(order="dateAsc", dateFrom=first, dateTo=last) == reviews[3:8]
    assert shop.reviews(order="dateAsc", dateFrom=first + 1, dateTo=last - 1) == reviews[4:7]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"isAnswered": None}, "Плохой формат isAnswered"),
        ({"isAnswered": "True"}, "Плохой формат isAnswered"),
        ({"isAnswered": ""}, "Плохой формат isAnswered"),
        ({"take": None}, "Something went wrong"),
        ({"take": 5001}, "Something went wrong"),
        ({"take": 0}, "Something went wrong"),
        ({"take": "ten"}, "Something went wrong"),
        ({"skip": None}, "Something went wrong"),
        ({"skip": 199_991}, "Something went wrong"),
        ({"skip": -1}, "Something went wrong"),
        ({"order": "newest"}, "Something went wrong"),
        ({"nmId": "PJ-12"}, "Something went wrong"),
        ({"dateFrom": "2026-11-24"}, "Плохой формат dateFrom"),
        ({"dateTo": "1795521600.5"}, "Плохой формат dateTo"),
    ],
)
def test_a_parameter_that_is_wrong_is_a_400(shop, wrong, text):
    params = {"isAnswered": "true", "take": 1, "skip": 0, **wrong}

    answer = shop.client.get(LIST, params={name: value for name, value in params.items() if value is not None})

    body = answer.json()
    assert answer.status_code == 400
    assert (body["data"], body["error"], body["errorText"], body["additionalErrors"]) == (None, True, text, None)


def test_the_largest_page_and_skip_are_allowed(shop):
    answer = shop.list("true", take=5000, skip=199_990, dateFrom=0, dateTo=2**40)

    assert (answer.status_code, answer.json()["data"]["feedbacks"]) == (200, [])


def test_a_review_is_read_by_its_id(shop):
    review = shop.reviews()[0]

    assert shop.review(review["id"]) == review


@pytest.mark.parametrize("review_id", ["", "unknown", "A" * 20, "ы" * 20, "!" * 20])
def test_an_unknown_id_is_a_422(shop, review_id):
    answer = shop.client.get(f"{ROOT}/feedback", params={"id": review_id})

    body = answer.json()
    assert answer.status_code == 422
    assert len(body.pop("requestId")) == 32
    assert body == {
        "data": None,
        "error": True,
        "errorText": "Невозможно получить отзыв по id",
        "additionalErrors": None,
    }


def test_an_id_that_is_nearly_right_is_unknown(shop):
    review_id = shop.unanswered()[0]
    nearly = review_id[:-1] + ("A" if review_id[-1] != "A" else "B")

    assert shop.client.get(f"{ROOT}/feedback", params={"id": nearly}).status_code == 422


def test_a_review_that_is_not_written_yet_is_unknown(shop, clock):
    clock.advance(timedelta(minutes=1))
    newest = max(everything(shop), key=created)["id"]
    clock.advance(timedelta(minutes=-1))

    assert shop.client.get(f"{ROOT}/feedback", params={"id": newest}).status_code == 422


def test_a_200_can_be_an_error(shop):
    answer = shop.list(nmId=0)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["data"], body["error"], body["errorText"]) == (None, True, "Something went wrong")


def test_each_fiftieth_list_is_an_error_too(shop):
    errors = [shop.list(take=1).json()["error"] for _ in range(101)]

    assert [place for place, error in enumerate(errors, 1) if error] == [50, 100]


def test_new_reviews_come_while_the_world_lives(shop, clock):
    before = {review["id"] for review in everything(shop)}

    clock.advance(timedelta(minutes=10))
    after = {review["id"]: review for review in everything(shop)}

    assert before < after.keys()
    assert 20 <= len(after) - len(before) <= 30
    assert all(
        created(after[review_id]) > datetime(2026, 11, 24, 12, tzinfo=UTC) for review_id in after.keys() - before
    )


def test_a_frozen_world_has_no_news(make_environment, make_client, clock):
    environment = make_environment(wb_limits=False)
    shop = WildberriesSeller(environment, make_client, clock)
    environment.simulation.freeze()
    before = everything(shop)

    clock.advance(timedelta(hours=2))

    assert everything(shop) == before


def test_people_answer_some_of_the_new_reviews_by_themselves(shop, clock):
    clock.advance(timedelta(minutes=5))
    unanswered = set(shop.unanswered())

    clock.advance(timedelta(minutes=12))
    answered = {review["id"]: review for review in shop.reviews("true") if review["id"] in unanswered}

    assert 0 < len(answered) < 10
    assert {review["answer"]["state"] for review in answered.values()} == {"wbRu"}
    assert {review["answer"]["editable"] for review in answered.values()} == {True}


def test_after_thirty_days_an_unanswered_review_leaves_for_the_archive(make_seller, clock):
    shop = make_seller(wb_reviews_every=timedelta(days=1))
    review = shop.reviews(order="dateAsc")[0]
    old = datetime(2026, 11, 24, 12, tzinfo=UTC) - created(review)

    clock.advance(timedelta(days=30) - old - timedelta(seconds=1))
    before = review["id"] in shop.unanswered(), review["id"] in {one["id"] for one in archive(shop)}
    clock.advance(timedelta(seconds=1))
    after = review["id"] in shop.unanswered(), review["id"] in {one["id"] for one in archive(shop)}

    assert (before, after) == ((True, False), (False, True))
    assert review["id"] not in {one["id"] for one in shop.reviews("true")}
    assert shop.review(review["id"]) == review


def test_a_rating_without_text_and_photo_is_never_in_the_list_of_the_unanswered(shop):
    unanswered = shop.reviews()
    archived = [review for review in archive(shop) if review["answer"] is None]

    assert all(review["text"] or review["pros"] or review["photoLinks"] for review in unanswered)
    assert any(not review["text"] and not review["photoLinks"] and review["pros"] == "" for review in archived)


def test_the_archive_has_what_is_answered_and_is_paged_like_a_list(shop):
    whole = archive(shop)
    page = shop.client.get(f"{LIST}/archive", params={"take": 2, "skip": 1}).json()["data"]["feedbacks"]

    assert {review["id"] for review in shop.reviews("true")} < {review["id"] for review in whole}
    assert page == whole[1:3]
    assert shop.client.get(f"{LIST}/archive", params={"take": 2}).status_code == 400


def test_a_review_can_supplement_an_earlier_one_of_the_same_buyer(shop):
    reviews = {review["id"]: review for review in [*everything(shop), *archive(shop)]}
    child = next(review for review in reviews.values() if review["parentFeedbackId"])

    parent = reviews[child["parentFeedbackId"]]

    assert parent["childFeedbackId"] == child["id"]
    assert created(parent) < created(child)
    assert parent["productDetails"]["nmId"] == child["productDetails"]["nmId"]
    assert parent["userName"] == child["userName"]


def test_counts_agree_with_the_lists(shop):
    def count(**params):
        return shop.client.get(f"{LIST}/count", params=params).json()["data"]

    unanswered = shop.reviews()
    window = {"dateFrom": int(created(unanswered[4]).timestamp()), "dateTo": int(created(unanswered[2]).timestamp())}

    assert count(isAnswered="false") == len(unanswered)
    assert count(isAnswered="true") == count() == len(shop.reviews("true"))
    assert count(isAnswered="false", **window) == 3
    assert shop.client.get(f"{LIST}/count", params={"isAnswered": "1"}).status_code == 400


def test_what_is_unanswered_is_counted_for_today_in_moscow(shop, clock):
    clock.advance(timedelta(hours=8, minutes=59))
    reviews = shop.reviews()
    midnight = datetime(2026, 11, 23, 21, tzinfo=UTC)

    counts = shop.client.get(f"{LIST}/count-unanswered").json()["data"]
    clock.advance(timedelta(minutes=1))
    tomorrow = shop.client.get(f"{LIST}/count-unanswered").json()["data"]

    today = sum(created(review) >= midnight for review in reviews)
    assert counts == {"countUnanswered": len(reviews), "countUnansweredToday": today}
    assert tomorrow["countUnansweredToday"] <= 1 < today


@pytest.mark.parametrize(("reviews", "news"), [(0, False), (20, True)])
def test_there_is_news_while_something_is_unanswered(make_seller, reviews, news):
    shop = make_seller(wb_reviews=reviews)

    answer = shop.client.get(f"{ROOT}/new-feedbacks-questions")

    assert answer.json()["data"] == {"hasNewQuestions": False, "hasNewFeedbacks": news}
