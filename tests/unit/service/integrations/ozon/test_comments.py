"""What becomes of an answer at Ozon, as the comments of its review show it."""

# ruff: noqa: RUF001  # Russian letters look like Latin ones

import pytest

from service.integrations.http.errors import Unreadable
from service.integrations.ozon.marketplace import OzonReviews
from tests.support.ozon_stub import review


@pytest.fixture
def marketplace(ozon_client, ozon_clock):
    return OzonReviews(ozon_client, lambda skus: dict.fromkeys(skus, "Пижама"), ozon_clock.now)


def comment(text="Спасибо!", **changes):
    """A published comment of the seller."""
    return {
        "id": "01931f2e-0000-7000-8000-000000000001",
        "text": text,
        "parent_comment_id": "",
        "is_owner": True,
        "is_official": True,
        "is_published": True,
        "is_rejected": False,
        "deviation_reason": "",
        "likes_amount": 0,
        "dislikes_amount": 0,
        "published_at": "2026-11-21T09:00:00.000Z",
    } | changes


SENT = comment(is_published=False)
REJECTED = comment(is_published=False, is_rejected=True, deviation_reason=" Ссылка \n на сайт ")
BUYERS = comment("А когда?", is_owner=False, is_official=False)


def read(ozon, marketplace, *comments, **changes):
    ozon.enqueue(review(1, **{"status": "PROCESSED"} | changes), {"comments": list(comments), "offset": 0})
    return marketplace.read(review(1)["id"])


@pytest.mark.parametrize(
    ("comments", "known"),
    [
        ([comment()], ("Спасибо!", "published", None)),
        ([SENT], ("Спасибо!", "moderation", None)),
        ([REJECTED], ("Спасибо!", "rejected", "Ссылка на сайт")),
        ([REJECTED | {"deviation_reason": None}], ("Спасибо!", "rejected", None)),
        ([REJECTED | {"deviation_reason": 7}], ("Спасибо!", "rejected", None)),
        ([REJECTED | {"is_published": True}], ("Спасибо!", "rejected", "Ссылка на сайт")),
        ([comment(is_published=None)], ("Спасибо!", "moderation", None)),
        ([comment(is_published="true")], ("Спасибо!", "moderation", None)),
        ([SENT | {"text": "Новый"}, REJECTED], ("Новый", "moderation", None)),
        ([SENT | {"text": "Ещё"}, comment("Первый")], ("Первый", "published", None)),
        ([BUYERS, comment()], ("Спасибо!", "published", None)),
        ([comment(7), SENT], ("Спасибо!", "moderation", None)),
        (["no object", None, comment()], ("Спасибо!", "published", None)),
        ([BUYERS], (None, "none", None)),
        ([], (None, "none", None)),
    ],
)
def test_the_state_of_an_answer_is_what_its_comments_say(ozon, marketplace, comments, known):
    found = read(ozon, marketplace, *comments)

    assert found.answered
    assert (found.answer_text, found.answer_state, found.answer_reason) == known


def test_the_comments_are_asked_for_once(ozon, marketplace):
    read(ozon, marketplace, comment())

    body = {"review_id": review(1)["id"], "limit": 100, "offset": 0, "sort_dir": "DESC"}
    assert ozon.requests[1:] == [("/v1/review/comment/list", body)]


@pytest.mark.parametrize(("answers", "answered"), [([comment()], True), ([SENT], True), ([REJECTED], False)])
def test_a_review_with_an_answer_is_answered_even_if_it_is_not_marked_as_processed(
    ozon, marketplace, answers, answered
):
    found = read(ozon, marketplace, *answers, status="VIEWED", comments_amount=1)

    assert found.answered is answered


def test_a_review_without_comments_that_is_not_processed_is_one_call(ozon, marketplace):
    ozon.enqueue(review(1, status="NEW", comments_amount=0))

    assert not marketplace.read(review(1)["id"]).answered
    assert ozon.paths == ["/v2/review/info"]


@pytest.mark.parametrize("body", [{}, {"result": []}, {"comments": {}}])
def test_an_answer_without_comments_is_unreadable(ozon, marketplace, body):
    ozon.enqueue(review(1, status="PROCESSED"), body)

    with pytest.raises(Unreadable, match="comments"):
        marketplace.read(review(1)["id"])


def test_comments_that_are_null_are_none(ozon, marketplace):
    ozon.enqueue(review(1, status="PROCESSED"), {"comments": None, "offset": 0})

    assert marketplace.read(review(1)["id"]).answer_state == "none"
