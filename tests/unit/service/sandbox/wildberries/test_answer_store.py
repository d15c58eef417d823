import json
from datetime import timedelta

import pytest

from service.sandbox.journal import Journal
from tests.support.wildberries_sandbox import ANSWER, WildberriesSeller

# ruff: noqa: RUF001  # what Wildberries says is Russian

MODERATION = timedelta(seconds=20)


@pytest.fixture
def journal():
    return Journal()


@pytest.fixture
def shop_again(make_environment, make_client, clock, journal):
    """Makes a seller, always with the same journal."""
    return lambda **options: WildberriesSeller(
        make_environment(journal, wb_limits=False, **options), make_client, clock
    )


@pytest.fixture
def shop(shop_again):
    return shop_again()


@pytest.fixture
def quiet_shop(shop_again):
    """A seller whose clock may be moved by months."""
    return shop_again(wb_reviews_every=timedelta(days=1))


@pytest.fixture
def review_id(shop):
    """A review that no employee will answer."""
    return shop.reviews(order="dateAsc")[0]["id"]


def to_be_answered_by_hand(shop, clock):
    """A new review that an employee answers within twelve minutes."""
    clock.advance(timedelta(minutes=5))
    unanswered = set(shop.unanswered())
    clock.advance(timedelta(minutes=12))
    answered = next(review["id"] for review in shop.reviews("true") if review["id"] in unanswered)
    clock.advance(timedelta(minutes=-12))
    return answered


def test_an_answer_moves_the_review_to_the_other_list(shop, review_id):
    answer = shop.answer(review_id)

    assert (answer.status_code, answer.content) == (204, b"")
    assert review_id not in shop.unanswered()
    assert review_id in {review["id"] for review in shop.reviews("true")}


def test_an_answer_waits_for_the_moderators_and_is_published_then(shop, review_id, clock):
    shop.answer(review_id, "Спасибо!")

    clock.advance(MODERATION - timedelta(seconds=1))
    waiting = shop.review(review_id)
    clock.advance(timedelta(seconds=1))
    published = shop.review(review_id)

    assert waiting["answer"] == {"text": "Спасибо!", "state": "reviewRequired", "editable": True}
    assert published["answer"] == {"text": "Спасибо!", "state": "wbRu", "editable": True}
    assert waiting["state"] == published["state"] == "wbRu"


def test_an_answer_that_the_moderators_dislike_is_rejected(shop, review_id, clock):
    shop.answer(review_id, "Запрещено всё, что не разрешено")

    waiting = shop.review(review_id)["answer"]["state"]
    clock.advance(MODERATION)

    assert waiting == "reviewRequired"
    assert shop.review(review_id)["answer"]["state"] == "rejected"
    assert review_id not in shop.unanswered()


def test_an_answer_to_no_review_is_taken_as_well(shop, journal):
    answer = shop.answer("Qm7xTz1BkAtKOitoZ_lV")

    assert answer.status_code == 204
    assert list(journal.entries("wb-answer")) == []


def test_the_first_answer_stays(shop, review_id, clock):
    shop.answer(review_id, "Первый")

    again = shop.answer(review_id, "Второй")
    clock.advance(MODERATION)

    assert again.status_code == 204
    assert shop.review(review_id)["answer"]["text"] == "Первый"


def test_an_archived_review_can_still_be_answered(quiet_shop, review_id, clock):
    clock.advance(timedelta(days=31))
    assert review_id not in quiet_shop.unanswered()

    quiet_shop.answer(review_id)

    assert review_id in {review["id"] for review in quiet_shop.reviews("true")}


def test_an_answer_in_time_keeps_a_person_from_answering(shop, clock):
    review_id = to_be_answered_by_hand(shop, clock)

    shop.answer(review_id, "Мы успели раньше")
    clock.advance(timedelta(minutes=12))

    assert shop.review(review_id)["answer"]["text"] == "Мы успели раньше"


def test_an_answer_too_late_leaves_the_one_that_a_person_gave(shop, clock):
    review_id = to_be_answered_by_hand(shop, clock)
    clock.advance(timedelta(minutes=12))
    by_hand = shop.review(review_id)

    shop.answer(review_id, "Мы опоздали")

    assert shop.review(review_id) == by_hand


def test_an_answer_is_edited_once_and_moderated_again(shop, review_id, clock):
    shop.answer(review_id, "Спасибо!")
    clock.advance(MODERATION)

    first = shop.edit(review_id, "Большое спасибо!")
    edited = shop.review(review_id)["answer"]
    second = shop.edit(review_id, "Огромное спасибо!")
    clock.advance(MODERATION)

    assert (first.status_code, second.status_code) == (204, 204)
    assert edited == {"text": "Большое спасибо!", "state": "reviewRequired", "editable": False}
    assert shop.review(review_id)["answer"] == {"text": "Большое спасибо!", "state": "wbRu", "editable": False}


def test_an_answer_that_a_person_gave_can_be_edited(shop, clock):
    review_id = to_be_answered_by_hand(shop, clock)
    clock.advance(timedelta(minutes=12))

    shop.edit(review_id, "Уточняем: возврат бесплатный")

    assert shop.review(review_id)["answer"]["text"] == "Уточняем: возврат бесплатный"


@pytest.mark.parametrize(("late", "text"), [(timedelta(), "Позже"), (timedelta(seconds=1), "Позже на секунду")])
def test_after_sixty_days_an_answer_stays_as_it_is(quiet_shop, review_id, clock, late, text):
    quiet_shop.answer(review_id, "Спасибо!")
    clock.advance(timedelta(days=60) + late)

    quiet_shop.edit(review_id, text)

    assert quiet_shop.review(review_id)["answer"] == {"text": "Спасибо!", "state": "wbRu", "editable": False}


def test_within_sixty_days_an_answer_can_be_edited(quiet_shop, review_id, clock):
    quiet_shop.answer(review_id, "Спасибо!")
    clock.advance(timedelta(days=60) - timedelta(seconds=1))

    quiet_shop.edit(review_id, "В последнюю секунду")

    assert quiet_shop.review(review_id)["answer"]["text"] == "В последнюю секунду"


def test_what_is_not_answered_cannot_be_edited(shop, review_id, journal):
    answer = shop.edit(review_id, "Спасибо!")

    assert answer.status_code == 204
    assert shop.review(review_id)["answer"] is None
    assert list(journal.entries("wb-answer-edit")) == []


@pytest.mark.parametrize("length", [2, 5000])
def test_the_shortest_and_the_longest_answer_are_taken(shop, review_id, length):
    shop.answer(review_id, "я" * length)

    assert shop.review(review_id)["answer"]["text"] == "я" * length


@pytest.mark.parametrize("text", ["", "я", "я" * 5001])
def test_an_answer_of_a_wrong_length_is_a_400(shop, review_id, text):
    answer = shop.answer(review_id, text)

    body = answer.json()
    assert answer.status_code == 400
    assert (body["title"], body["origin"]) == ("bad request", "fbapi")
    assert body["detail"] == "Длина ответа должна быть от 2 до 5000 символов"
    assert shop.review(review_id)["answer"] is None


@pytest.mark.parametrize(
    ("content_type", "body", "detail"),
    [
        (None, b"{}", "content-type header not specified"),
        ("u", b"{}", "content-type is not a valid mime-type: u"),
        ("text/plain", b"{}", "not a json content-type: text/plain"),
        ("application/json", b'{"id": ', "Неверный синтаксис JSON"),
        ("application/json", b"", "Неверный синтаксис JSON"),
        ("application/json", b"\xff", "Неверный синтаксис JSON"),
        ("application/json", b'["id", "text"]', "Неверный синтаксис JSON"),
        ("application/json", rb'{"id": "x", "text": "\ud800\ud800"}', "Неверный синтаксис JSON"),
        ("application/json", b'{"text": "abc"}', "Неверный формат запроса"),
        ("application/json", b'{"id": "x", "text": 12345}', "Неверный формат запроса"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_cannot_be_read_is_a_400_of_the_other_shape(shop, method, content_type, body, detail):
    headers = {"Content-Type": content_type} if content_type else {}

    answer = shop.client.request(method, ANSWER, content=body, headers=headers)

    assert answer.status_code == 400
    assert len(answer.json().pop("requestId")) == 32
    assert answer.json().keys() == {"title", "requestId", "origin", "detail"}
    assert answer.json()["detail"] == detail


def test_a_content_type_may_name_its_charset(shop, review_id):
    body = json.dumps({"id": review_id, "text": "Спасибо!"}).encode()

    answer = shop.client.post(ANSWER, content=body, headers={"Content-Type": "application/json; charset=utf-8"})

    assert answer.status_code == 204
    assert shop.review(review_id)["answer"]["text"] == "Спасибо!"


def test_answers_outlive_a_restart(shop, shop_again, review_id, clock):
    other = shop.reviews(order="dateAsc")[1]["id"]
    shop.answer(review_id, "Спасибо!")
    shop.edit(review_id, "Большое спасибо!")
    shop.answer(other, "Запрещено")
    clock.advance(MODERATION)

    restarted = shop_again()

    assert restarted.review(review_id)["answer"] == {"text": "Большое спасибо!", "state": "wbRu", "editable": False}
    assert restarted.review(other)["answer"]["state"] == "rejected"
    assert [restarted.list(answered).content for answered in ("true", "false")] == [
        shop.list(answered).content for answered in ("true", "false")
    ]
