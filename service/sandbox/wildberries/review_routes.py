"""The feedbacks API of Wildberries: lists of reviews, one review, and answers to them."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.sandbox.fake_service import Environment
from service.sandbox.wildberries.answer_request import BadAnswer, read_answer
from service.sandbox.wildberries.answer_store import Answers
from service.sandbox.wildberries.errors import SOMETHING, Errors
from service.sandbox.wildberries.gateway import MOSCOW, Endpoint
from service.sandbox.wildberries.query import BadQuery, Page, Window, answered
from service.sandbox.wildberries.review_model import Review, Reviews
from service.sandbox.wildberries.review_payload import feedback

FAILS_EACH: Final = 50  # so many-th list fails with a 200


class Feedbacks:
    def __init__(self, environment: Environment, errors: Errors) -> None:
        self._simulation = environment.simulation
        self._errors = errors
        self._reviews = Reviews(environment)
        self._answers = Answers(environment)
        self._lists = count(1)

    def methods(self) -> list[tuple[str, str, Endpoint]]:
        root = "/api/v1"
        return [
            ("GET", f"{root}/feedbacks", self._strictly(self._list)),
            ("GET", f"{root}/feedback", self._one),
            ("POST", f"{root}/feedbacks/answer", self._give),
            ("PATCH", f"{root}/feedbacks/answer", self._edit),
            ("GET", f"{root}/feedbacks/count", self._strictly(self._count)),
            ("GET", f"{root}/feedbacks/count-unanswered", self._count_unanswered),
            ("GET", f"{root}/feedbacks/archive", self._strictly(self._archive)),
            ("GET", f"{root}/new-feedbacks-questions", self._news),
        ]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        """The reviews that were in one of the two lists at some time."""
        for review in self._reviews.known():
            answer = self._answers.of(review)
            if answer is not None or review.archived_at > review.created:
                yield {
                    "id": review.id,
                    "rating": review.rating,
                    "answered": answer is not None,
                    "answer_text": answer and answer.text,
                    "archived": answer is None and self._is_archived(review),
                }

    def _strictly(self, endpoint: Endpoint) -> Endpoint:
        async def strict(request: Request) -> Response:
            try:
                return await endpoint(request)
            except BadQuery as bad:
                return self._errors.feedbacks(400, str(bad))

        return strict

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        wanted, page, window = answered(query), Page.read(query), Window.read(query)
        if page.nm_id == 0 or next(self._lists) % FAILS_EACH == 0:
            return self._errors.feedbacks(200, SOMETHING)
        found = page.of([review for review in self._listed(answered=wanted) if window.holds(review.created)])
        return _envelope(
            {
                "countUnanswered": len(self._listed(answered=False)),
                "countArchive": len(self._archived()),
                "feedbacks": [self._shape(review) for review in found],
            }
        )

    async def _archive(self, request: Request) -> Response:
        page = Page.read(request.query_params)
        return _envelope({"feedbacks": [self._shape(review) for review in page.of(self._archived())]})

    async def _one(self, request: Request) -> Response:
        review = self._reviews.find(request.query_params.get("id", ""))
        if review is None:
            return self._errors.feedbacks(422, "Невозможно получить отзыв по id")
        return _envelope(self._shape(review))

    async def _count(self, request: Request) -> Response:
        wanted, window = answered(request.query_params, default=True), Window.read(request.query_params)
        return _envelope(sum(window.holds(review.created) for review in self._listed(answered=wanted)))

    async def _count_unanswered(self, _request: Request) -> Response:
        unanswered = self._listed(answered=False)
        today = self._simulation.now().astimezone(MOSCOW).date()
        new = sum(review.created.astimezone(MOSCOW).date() == today for review in unanswered)
        return _envelope({"countUnanswered": len(unanswered), "countUnansweredToday": new})

    async def _news(self, _request: Request) -> Response:
        return _envelope({"hasNewQuestions": False, "hasNewFeedbacks": bool(self._listed(answered=False))})

    async def _give(self, request: Request) -> Response:
        return await self._write(request, self._answers.give)

    async def _edit(self, request: Request) -> Response:
        return await self._write(request, self._answers.edit)

    async def _write(self, request: Request, write: Callable[[Review, str], None]) -> Response:
        """204 for every id, whether there is such a review or not: it proves nothing."""
        try:
            review_id, text = read_answer(request.headers.get("content-type"), await request.body())
        except BadAnswer as bad:
            return self._errors.bad_answer(str(bad))
        if review := self._reviews.find(review_id):
            write(review, text)
        return Response(status_code=204)

    def _listed(self, *, answered: bool) -> list[Review]:
        """One of the two lists; what is archived unanswered is in neither."""
        if answered:
            return [review for review in self._reviews.known() if self._answers.has(review)]
        return [review for review in self._reviews.known() if not self._is_archived(review)]

    def _archived(self) -> list[Review]:
        return [review for review in self._reviews.known() if self._is_archived(review)]

    def _is_archived(self, review: Review) -> bool:
        """What is answered counts as archived too."""
        return self._answers.has(review) or review.archived_at <= self._simulation.now()

    def _shape(self, review: Review) -> dict[str, Any]:
        random = self._simulation.random("wb-feedback", review.number)
        parent, child = self._reviews.parent(review), self._reviews.child(review)
        return {
            **feedback(random, review, self._answers.of(review), self._simulation.now()),
            "parentFeedbackId": parent and parent.id,
            "childFeedbackId": child and child.id,
        }


def _envelope(data: Any) -> Response:
    return JSONResponse({"data": data, "error": False, "errorText": "", "additionalErrors": None})
