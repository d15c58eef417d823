import time
from collections import Counter
from datetime import datetime, timedelta

import pytest

from service.sandbox.journal import Journal

MINUTE = timedelta(minutes=1)
LIST, INFO = "/v2/review/list", "/v2/review/info"
CREATE, COMMENTS = "/v1/review/comment/create", "/v1/review/comment/list"
NOBODY = "01931f2e-5b1a-7c39-9e44-2f1d0c7a9b10"


@pytest.fixture
def seller(make_ozon):
    return make_ozon()


def every_page(seller, path=LIST, **body):
    """All pages, each a list of reviews."""
    pages, last_id = [], ""
    while True:
        answer = seller(path, {"limit": 50, "last_id": last_id} | body).json()
        pages.append(answer["reviews"])
        if not answer["has_next"]:
            return pages
        last_id = answer["last_id"]
        assert len(pages) < 100


def found(seller, **filters):
    return [review for page in every_page(seller, filters=filters) for review in page]


def one(seller, status="NEW"):
    return found(seller, status=status)[0]["id"]


def status_of(seller, review_id):
    return seller(INFO, {"review_id": review_id}).json()["status"]


def comments_of(seller, review_id, **body):
    return seller(COMMENTS, {"review_id": review_id, "limit": 100} | body).json()["comments"]


@pytest.mark.parametrize("path", [LIST, "/v1/review/list"])
@pytest.mark.parametrize("body", [{"limit": 19}, {"limit": 101}, {}, {"limit": "50"}])
def test_a_page_holds_20_to_100_reviews(seller, path, body):
    answer = seller(path, body)

    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert answer.json()["message"].startswith("Request validation error: invalid ReviewList")
    assert ".Limit: " in answer.json()["message"]


@pytest.mark.parametrize("limit", [20, 100])
def test_the_limits_themselves_are_allowed(seller, limit):
    assert len(seller(LIST, {"limit": limit}).json()["reviews"]) == limit


def test_pages_follow_each_other_until_there_is_no_more(seller):
    pages = every_page(seller)

    assert [len(page) for page in pages] == [50, 50, 20]
    assert [review["id"] for page in pages for review in page] == [
        true["id"] for true in seller.fake.expected_state("reviews")
    ]


def test_the_last_page_says_its_last_id_and_an_empty_one_none(seller):
    full = seller(LIST, {"limit": 100}).json()
    last = seller(LIST, {"limit": 20, "last_id": full["last_id"]}).json()
    empty = seller(LIST, {"limit": 20, "last_id": last["last_id"]}).json()

    assert (full["has_next"], full["last_id"]) == (True, full["reviews"][-1]["id"])
    assert (last["has_next"], last["last_id"]) == (False, last["reviews"][-1]["id"])
    assert empty == {"reviews": [], "has_next": False, "last_id": ""}


def test_the_newest_come_first_when_they_are_asked_for_so(seller, clock):
    first = seller(LIST, {"limit": 20, "sort_dir": "DESC"}).json()
    clock.advance(5 * MINUTE)
    second = seller(LIST, {"limit": 20, "sort_dir": "DESC", "last_id": first["last_id"]}).json()

    moments = [review["published_at"] for review in first["reviews"] + second["reviews"]]
    assert moments == sorted(moments, reverse=True)
    assert len(set(moments)) == 40


def test_the_page_after_one_whose_last_review_no_longer_matches_goes_on_behind_it(seller):
    everything = [review["id"] for review in found(seller, status="NEW")]
    first = seller(LIST, {"limit": 20, "filters": {"status": "NEW"}}).json()

    seller("/v2/review/change-status", {"review_ids": [first["last_id"]], "status": "VIEWED"})
    second = seller(LIST, {"limit": 20, "last_id": first["last_id"], "filters": {"status": "NEW"}}).json()

    assert [review["id"] for review in second["reviews"]] == everything[20:40]


def test_a_last_id_that_never_was_is_invalid(seller):
    assert seller(LIST, {"limit": 20, "last_id": NOBODY}).json()["code"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {"sort_dir": "UP"},
        {"filters": {"status": "UNPROCESSED"}},
        {"filters": {"order_status": "LOST"}},
        {"filters": {"skus": ["a"]}},
        {"filters": {"skus": list(range(1001))}},
        {"filters": {"published_from": "2026-11-01"}},
        {"filters": {"published_to": 1795430000}},
        {"filters": []},
    ],
)
def test_a_filter_that_does_not_exist_is_invalid(seller, body):
    answer = seller(LIST, {"limit": 20} | body)

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_review_has_the_known_fields_and_neither_author_nor_product_name(seller):
    for review in found(seller):
        assert set(review) == {
            "id", "sku", "text", "published_at", "rating", "status", "comments_amount", "photos_amount",
            "videos_amount", "order_status", "is_rating_participant",
        }  # fmt: skip
        assert review["published_at"][-5:-4] == "."
        assert review["published_at"].endswith("Z")


def test_the_sku_is_a_number(seller):
    skus = [review["sku"] for review in found(seller)]

    assert {type(sku) for sku in skus} == {int}
    assert all(1_700_223_300 <= sku < 1_700_224_000 for sku in skus)


def test_the_backlog_is_partly_done_and_varied(seller):
    reviews = found(seller)

    statuses = Counter(review["status"] for review in reviews)
    assert 0.3 < statuses["PROCESSED"] / len(reviews) < 0.6
    assert min(statuses["NEW"], statuses["VIEWED"]) > 5
    assert {review["rating"] for review in reviews} == {1, 2, 3, 4, 5}
    assert {review["order_status"] for review in reviews} == {"DELIVERED", "CANCELLED"}
    assert {bool(review["text"]) for review in reviews} == {True, False}
    assert len({review["text"] for review in reviews}) > len(reviews) / 2


@pytest.mark.parametrize("status", ["NEW", "VIEWED", "PROCESSED"])
def test_reviews_are_found_by_status(seller, status):
    expected = [true["id"] for true in seller.fake.expected_state("reviews") if true["status"] == status]

    assert [review["id"] for review in found(seller, status=status)] == expected


@pytest.mark.parametrize(("old", "new"), [("PROCESSED", {"PROCESSED"}), ("UNPROCESSED", {"NEW", "VIEWED"})])
def test_the_deprecated_list_knows_the_old_statuses(seller, old, new):
    expected = [true["id"] for true in seller.fake.expected_state("reviews") if true["status"] in new]

    reviews = [review for page in every_page(seller, "/v1/review/list", status=old) for review in page]

    assert [review["id"] for review in reviews] == expected
    assert {review["status"] for review in reviews} == {old}


def test_the_deprecated_list_gives_all_unless_told_otherwise(seller):
    assert [len(page) for page in every_page(seller, "/v1/review/list")] == [50, 50, 20]


def test_reviews_are_found_by_sku_order_and_time(seller):
    everything = found(seller)
    sku = int(everything[7]["sku"])
    begin, end = everything[30]["published_at"], everything[60]["published_at"]

    assert found(seller, skus=[str(sku)]) == [review for review in everything if int(review["sku"]) == sku]
    assert found(seller, published_from=begin, published_to=end) == everything[30:61]
    assert found(seller, order_status="CANCELLED") == [
        review for review in everything if review["order_status"] == "CANCELLED"
    ]


def test_a_single_review_tells_more_than_the_list(seller):
    listed = next(review for review in found(seller) if review["photos_amount"] and review["videos_amount"])

    told = seller(INFO, {"review_id": listed["id"]}).json()

    assert listed.items() <= told.items()
    assert set(told) - set(listed) == {"likes_amount", "dislikes_amount", "photos", "videos"}
    assert (len(told["photos"]), len(told["videos"])) == (listed["photos_amount"], listed["videos_amount"])
    assert set(told["photos"][0]) == {"url", "width", "height"}
    assert set(told["videos"][0]) == {"url", "preview_url", "short_video_preview_url", "width", "height"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (INFO, {}),
        (COMMENTS, {"limit": 20}),
        (CREATE, {"text": "Спасибо!"}),
        ("/v2/review/change-status", {"status": "VIEWED"}),
    ],
)
def test_a_review_that_is_not_there_is_not_found(seller, path, body):
    answer = seller(path, {"review_id": NOBODY, "review_ids": [NOBODY]} | body)

    assert (answer.status_code, answer.json()["code"]) == (404, 5)
    assert answer.json()["message"] == "review not found"


def test_a_review_that_is_still_to_come_is_not_found_after_the_clock_was_set_back(make_ozon, clock):
    seller = make_ozon(seconds=time.monotonic)
    clock.advance(MINUTE)
    newest = found(seller)[-1]["id"]
    clock.advance(-MINUTE)

    assert seller(INFO, {"review_id": newest}).status_code == 404


def test_the_counts_are_those_of_the_list(seller):
    statuses = Counter(true["status"] for true in seller.fake.expected_state("reviews"))

    assert seller("/v2/review/count").json() == {
        "total": 120,
        "new": statuses["NEW"],
        "viewed": statuses["VIEWED"],
        "processed": statuses["PROCESSED"],
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LIST, {"limit": 20}),
        ("/v1/review/list", {"limit": 20}),
        (INFO, {"review_id": NOBODY}),
        ("/v2/review/count", {}),
        ("/v2/review/change-status", {"review_ids": [NOBODY], "status": "NEW"}),
        (CREATE, {"review_id": NOBODY, "text": "Спасибо!"}),
        (COMMENTS, {"review_id": NOBODY, "limit": 20}),
    ],
)
def test_without_the_subscription_a_valid_call_is_denied_in_other_words_than_a_bad_key(make_ozon, path, body):
    answer = make_ozon(ozon_subscription=False)(path, body)

    assert (answer.status_code, answer.json()["code"]) == (403, 7)
    assert answer.json()["message"].endswith("desc = not available with existing subscription")
    assert "Api-Key" not in answer.json()["message"]


def test_without_the_subscription_an_invalid_call_is_invalid_first_and_postings_are_open(make_ozon):
    seller = make_ozon(ozon_subscription=False)
    period = {"since": "2026-11-01T00:00:00Z", "to": "2026-11-24T00:00:00Z"}

    assert seller(LIST, {"limit": 1}).status_code == 400
    assert seller("/v4/posting/fbs/list", {"filter": period, "limit": 1}).status_code == 200


def test_an_answer_that_marks_its_review_makes_it_processed(seller):
    review = one(seller)

    answer = seller(CREATE, {"review_id": review, "text": "Спасибо!", "mark_review_as_processed": True})

    assert answer.status_code == 200
    assert [comment["id"] for comment in comments_of(seller, review)] == [answer.json()["comment_id"]]
    told = seller(INFO, {"review_id": review}).json()
    assert (told["status"], told["comments_amount"]) == ("PROCESSED", 1)
    assert {"id": review, "rating": told["rating"], "status": "PROCESSED"} in seller.fake.expected_state("reviews")


def test_an_answer_that_does_not_mark_its_review_leaves_its_status(seller):
    review = one(seller)

    seller(CREATE, {"review_id": review, "text": "Спасибо!"})

    assert status_of(seller, review) == "NEW"


def test_the_same_answer_again_is_a_second_comment(seller, clock):
    review = one(seller)
    body = {"review_id": review, "text": "Спасибо!", "mark_review_as_processed": True}

    first = seller(CREATE, body).json()["comment_id"]
    clock.advance(MINUTE)
    second = seller(CREATE, body).json()["comment_id"]

    assert first != second
    assert [comment["id"] for comment in comments_of(seller, review)] == [first, second]
    assert [comment["id"] for comment in comments_of(seller, review, sort_dir="DESC")] == [second, first]
    assert [comment["id"] for comment in comments_of(seller, review, offset=1)] == [second]


def test_a_comment_is_the_sellers_own_and_published(seller):
    review = one(seller)
    seller(CREATE, {"review_id": review, "text": "Спасибо, Ольга!"})

    [comment] = comments_of(seller, review)

    assert (comment["text"], comment["parent_comment_id"]) == ("Спасибо, Ольга!", "")
    assert comment["published_at"] == "2026-11-24T12:00:00.000Z"
    assert (comment["is_owner"], comment["is_published"], comment["is_rejected"]) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Спасибо, Ольга!", ""),
        ("Размер 48, 2026 год, 8 марта", ""),
        ("Смотрите https://shop.test/x", "Внешняя ссылка"),
        ("Заходите на nash-sait.ru", "Внешняя ссылка"),
        ("Пишите: help@shop.test", "Контактные данные"),
        ("Звоните: +7 (999) 123-45-67", "Контактные данные"),
    ],
)
def test_a_comment_is_listed_then_waits_then_is_published_or_rejected(make_ozon, clock, text, reason):
    seller = make_ozon(moderation=MINUTE)
    review = one(seller)
    seller(CREATE, {"review_id": review, "text": text})

    assert comments_of(seller, review) == []
    clock.advance(MINUTE / 2)
    [waiting] = comments_of(seller, review)
    clock.advance(MINUTE)
    [decided] = comments_of(seller, review)

    assert (waiting["is_published"], waiting["is_rejected"], waiting["deviation_reason"]) == (False, False, "")
    assert decided == waiting | {
        "is_published": not reason, "is_rejected": bool(reason), "deviation_reason": reason
    }  # fmt: skip
    assert seller(INFO, {"review_id": review}).json()["comments_amount"] == (0 if reason else 1)


def test_a_comment_may_answer_another_of_the_same_review_only(seller):
    review = one(seller)
    first = seller(CREATE, {"review_id": review, "text": "Спасибо!"}).json()["comment_id"]

    reply = {"review_id": review, "text": "И ещё раз", "parent_comment_id": first}
    wrong = {"review_id": review, "text": "И ещё раз", "parent_comment_id": NOBODY}

    assert seller(CREATE, reply).status_code == 200
    assert seller(CREATE, wrong).json()["code"] == 3
    assert [comment["parent_comment_id"] for comment in comments_of(seller, review)] == ["", first]


@pytest.mark.parametrize("text", ["", " \n", "я" * 3001, None, 7])
def test_a_comment_is_1_to_3000_characters(seller, text):
    review = one(seller)

    answer = seller(CREATE, {"review_id": review, "text": text, "mark_review_as_processed": True})

    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert (comments_of(seller, review), status_of(seller, review)) == ([], "NEW")
    assert seller(CREATE, {"review_id": review, "text": "я" * 3000}).status_code == 200


def test_a_comment_needs_a_review(seller):
    assert seller(CREATE, {"review_id": "", "text": "Спасибо!"}).json()["code"] == 3


@pytest.mark.parametrize("body", [{"limit": 19}, {"limit": 101}, {"limit": 20, "offset": -1}])
def test_comments_come_20_to_100_at_a_time(seller, body):
    assert seller(COMMENTS, {"review_id": one(seller)} | body).json()["code"] == 3


def test_statuses_change_for_many_reviews_at_once(seller):
    reviews = [review["id"] for review in found(seller)][:100]

    for status in ("VIEWED", "PROCESSED", "NEW"):
        answer = seller("/v2/review/change-status", {"review_ids": reviews, "status": status})

        assert (answer.status_code, answer.json()) == (200, {})
        assert {true["status"] for true in list(seller.fake.expected_state("reviews"))[:100]} == {status}


def test_statuses_change_for_all_reviews_that_were_named_or_for_none(seller):
    review = one(seller)

    seller("/v2/review/change-status", {"review_ids": [review, NOBODY], "status": "PROCESSED"})

    assert status_of(seller, review) == "NEW"


@pytest.mark.parametrize("body", [{"review_ids": []}, {"review_ids": [NOBODY] * 101}, {"status": "ALL"}])
def test_statuses_change_for_1_to_100_reviews_to_one_that_exists(seller, body):
    answer = seller("/v2/review/change-status", {"review_ids": [NOBODY], "status": "NEW"} | body)

    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_fresh_review_is_new_and_some_are_processed_by_hand_minutes_later(make_ozon, clock):
    seller = make_ozon(ozon_reviews=0)
    clock.advance(30 * MINUTE)
    young = {review["id"]: review for review in found(seller, published_from="2026-11-24T12:28:30Z")}
    assert {review["status"] for review in young.values()} == {"NEW"}

    clock.advance(60 * MINUTE)
    later = Counter(status_of(seller, review["id"]) for review in found(seller, published_to="2026-11-24T13:00:00Z"))

    assert later["NEW"] > later["PROCESSED"] > 0
    assert later["VIEWED"] > 0


def test_what_was_processed_by_hand_was_mostly_answered_then(seller):
    done = found(seller, status="PROCESSED")
    answered = [review for review in done if review["comments_amount"]]

    assert len(done) > len(answered) > len(done) / 3
    [comment] = comments_of(seller, answered[0]["id"])
    waited = datetime.fromisoformat(comment["published_at"]) - datetime.fromisoformat(answered[0]["published_at"])
    assert 2 * MINUTE <= waited <= 30 * MINUTE
    assert {review["comments_amount"] for review in found(seller, status="NEW")} == {0}


def test_what_was_done_is_there_after_a_restart(make_ozon, tmp_path):
    path = tmp_path / "journal"
    journal = Journal(path)
    before = make_ozon(journal)
    answered, marked, undone = (review["id"] for review in found(before, status="NEW")[:3])
    before(CREATE, {"review_id": answered, "text": "Спасибо!", "mark_review_as_processed": True})
    before(CREATE, {"review_id": answered, "text": "Ждём снова."})
    before("/v2/review/change-status", {"review_ids": [marked, undone], "status": "VIEWED"})
    before(CREATE, {"review_id": undone, "text": "Ой", "mark_review_as_processed": True})
    before("/v2/review/change-status", {"review_ids": [undone], "status": "NEW"})
    journal.close()

    after = make_ozon(journal := Journal(path))

    assert [status_of(after, review) for review in (answered, marked, undone)] == ["PROCESSED", "VIEWED", "NEW"]
    assert comments_of(after, answered) == comments_of(before, answered)
    assert found(after) == found(before)
    again = after(CREATE, {"review_id": answered, "text": "Спасибо!"}).json()["comment_id"]
    journal.close()
    assert len({comment["id"] for comment in comments_of(after, answered)} | {again}) == 3
