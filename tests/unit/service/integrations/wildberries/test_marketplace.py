import pytest

from service.integrations.http.errors import Rejected, Unreachable
from service.integrations.marketplace import InvalidPayload
from tests.support.loopback import CUT, response
from tests.support.ozon_stub import NOON
from tests.support.wildberries_payloads import review


def test_one_review_is_read(server, reviews):
    server.enqueue(response({"data": review(7), "error": False, "errorText": "", "additionalErrors": None}))

    found = reviews.read("Qm7xTz1BkAtKOit00007")

    assert (found.external_id, found.as_of) == ("Qm7xTz1BkAtKOit00007", NOON)
    assert [(asked.path, asked.query) for asked in server.requests] == [
        ("/api/v1/feedback", {"id": "Qm7xTz1BkAtKOit00007"})
    ]


def test_a_review_that_does_not_exist_is_none(server, reviews):
    server.enqueue(response({"data": None, "error": True, "errorText": "Невозможно получить отзыв по id"}, status=422))

    assert reviews.read("no") is None


def test_a_review_that_is_null_is_invalid(server, reviews):
    server.enqueue(response({"data": None, "error": False}))

    assert isinstance(reviews.read("no"), InvalidPayload)


def test_an_answer_is_written_once_and_proves_nothing(server, reviews):
    server.enqueue(response(status=204))

    assert reviews.answer("no such review", "Спасибо!") is False

    [asked] = server.requests
    assert (asked.method, asked.path) == ("POST", "/api/v1/feedbacks/answer")
    assert asked.body == {"id": "no such review", "text": "Спасибо!"}
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "answer", [CUT, response(status=502), response({"error": True, "errorText": "Something went wrong"})]
)
def test_an_answer_that_may_have_arrived_is_not_written_twice(server, reviews, answer):
    server.enqueue(answer, response(status=204))

    with pytest.raises(Unreachable) as failed:
        reviews.answer("id", "Спасибо!")

    assert failed.value.may_have_applied
    assert len(server.requests) == 1


def test_an_answer_that_is_refused_has_not_arrived(server, reviews):
    server.enqueue(response({"title": "bad request", "detail": "Неверный синтаксис JSON"}, status=400))

    with pytest.raises(Rejected, match="Неверный синтаксис JSON") as refused:
        reviews.answer("id", "Спасибо!")

    assert not refused.value.may_have_applied


def test_a_correction_is_written_once(server, reviews):
    server.enqueue(response(status=204))

    reviews.correct("Qm7xTz1BkAtKOit00007", "Спасибо!")

    [asked] = server.requests
    assert (asked.method, asked.path) == ("PATCH", "/api/v1/feedbacks/answer")
    assert asked.body == {"id": "Qm7xTz1BkAtKOit00007", "text": "Спасибо!"}


@pytest.mark.parametrize("answer", [CUT, response(status=502)])
def test_a_correction_that_may_have_arrived_is_not_written_twice(server, reviews, answer):
    server.enqueue(answer, response(status=204))

    with pytest.raises(Unreachable) as failed:
        reviews.correct("id", "Спасибо!")

    assert failed.value.may_have_applied
    assert len(server.requests) == 1
