"""Wildberries' API of reviews (feedbacks): lists, one review, and answers."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.sandbox.fake_service import Environment
from service.sandbox.wildberries.answer_request import InvalidAnswerRequest, parse_answer_request
from service.sandbox.wildberries.answer_store import AnswerStore
from service.sandbox.wildberries.errors import GENERIC_ERROR, WildberriesErrors
from service.sandbox.wildberries.gateway import MOSCOW, Endpoint
from service.sandbox.wildberries.query import DateRange, InvalidQuery, ListPage, parse_answered
from service.sandbox.wildberries.review_model import ReviewStore, SimulatedReview
from service.sandbox.wildberries.review_payload import review_payload

FAIL_EVERY: Final = 50  # every so many-th list fails, with the status 200


class FeedbacksApi:
    """The methods of the API."""

    def __init__(self, environment: Environment, errors: WildberriesErrors) -> None:
        self._simulation = environment.simulation
        self._errors = errors
        self._reviews = ReviewStore(environment)
        self._answers = AnswerStore(environment)
        self._list_calls = count(1)

    def methods(self) -> list[tuple[str, str, Endpoint]]:
        root = "/api/v1"
        return [
            ("GET", f"{root}/feedbacks", self._with_query_errors(self._list)),
            ("GET", f"{root}/feedback", self._get),
            ("POST", f"{root}/feedbacks/answer", self._create_answer),
            ("PATCH", f"{root}/feedbacks/answer", self._edit_answer),
            ("GET", f"{root}/feedbacks/count", self._with_query_errors(self._count)),
            ("GET", f"{root}/feedbacks/count-unanswered", self._count_unanswered),
            ("GET", f"{root}/feedbacks/archive", self._with_query_errors(self._archive)),
            ("GET", f"{root}/new-feedbacks-questions", self._has_news),
        ]

    def expected_state(self) -> Iterator[dict[str, Any]]:
        """All reviews. `archived`: it does not wait for an answer, though it has none."""
        for review in self._reviews.all():
            answer = self._answers.current(review)
            yield {
                "id": review.id,
                "rating": review.rating,
                "answered": answer is not None,
                "answer_text": answer and answer.text,
                "archived": answer is None and self._is_archived(review),
            }

    def _with_query_errors(self, endpoint: Endpoint) -> Endpoint:
        async def endpoint_with_errors(request: Request) -> Response:
            try:
                return await endpoint(request)
            except InvalidQuery as error:
                return self._errors.feedbacks(400, str(error))

        return endpoint_with_errors

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        answered, page, dates = parse_answered(query), ListPage.parse(query), DateRange.parse(query)
        if page.nm_id == 0 or next(self._list_calls) % FAIL_EVERY == 0:
            return self._errors.feedbacks(200, GENERIC_ERROR)
        reviews = page.select([review for review in self._listed(answered=answered) if dates.contains(review.created)])
        return _envelope(
            {
                "countUnanswered": len(self._listed(answered=False)),
                "countArchive": len(self._archived()),
                "feedbacks": [self._payload(review) for review in reviews],
            }
        )

    async def _archive(self, request: Request) -> Response:
        page = ListPage.parse(request.query_params)
        return _envelope({"feedbacks": [self._payload(review) for review in page.select(self._archived())]})

    async def _get(self, request: Request) -> Response:
        review = self._reviews.find(request.query_params.get("id", ""))
        if review is None:
            return self._errors.feedbacks(422, "Невозможно получить отзыв по id")
        return _envelope(self._payload(review))

    async def _count(self, request: Request) -> Response:
        answered, dates = parse_answered(request.query_params, default=True), DateRange.parse(request.query_params)
        return _envelope(sum(dates.contains(review.created) for review in self._listed(answered=answered)))

    async def _count_unanswered(self, _request: Request) -> Response:
        unanswered = self._listed(answered=False)
        today = self._simulation.now().astimezone(MOSCOW).date()
        new = sum(review.created.astimezone(MOSCOW).date() == today for review in unanswered)
        return _envelope({"countUnanswered": len(unanswered), "countUnansweredToday": new})

    async def _has_news(self, _request: Request) -> Response:
        return _envelope({"hasNewQuestions": False, "hasNewFeedbacks": bool(self._listed(answered=False))})

    async def _create_answer(self, request: Request) -> Response:
        return await self._write(request, self._answers.add)

    async def _edit_answer(self, request: Request) -> Response:
        return await self._write(request, self._answers.edit)

    async def _write(self, request: Request, write: Callable[[SimulatedReview, str], None]) -> Response:
        """204 for every id, whether such a review exists or not."""
        try:
            review_id, text = parse_answer_request(request.headers.get("content-type"), await request.body())
        except InvalidAnswerRequest as error:
            return self._errors.bad_answer(str(error))
        if review := self._reviews.find(review_id):
            write(review, text)
        return Response(status_code=204)

    def _listed(self, *, answered: bool) -> list[SimulatedReview]:
        """One of the two lists: `isAnswered` means processed, with or without an answer. A review that was archived without
        either is in none of them.
        """
        if answered:
            return [review for review in self._reviews.all() if self._is_processed(review)]
        return [review for review in self._reviews.all() if not self._is_archived(review)]

    def _archived(self) -> list[SimulatedReview]:
        return [review for review in self._reviews.all() if self._is_archived(review)]

    def _is_archived(self, review: SimulatedReview) -> bool:
        """A processed review is also archived."""
        return self._is_processed(review) or review.archived_at <= self._simulation.now()

    def _is_processed(self, review: SimulatedReview) -> bool:
        marked = review.processed_at is not None and review.processed_at <= self._simulation.now()
        return marked or self._answers.has(review)

    def _payload(self, review: SimulatedReview) -> dict[str, Any]:
        random, now = self._simulation.random("wb-feedback", review.number), self._simulation.now()
        parent, child = self._reviews.parent(review), self._reviews.child(review)
        return {
            **review_payload(random, review, self._answers.current(review), now),
            "parentFeedbackId": parent and parent.id,
            "childFeedbackId": child and child.id,
        }


def _envelope(data: Any) -> Response:
    return JSONResponse({"data": data, "error": False, "errorText": "", "additionalErrors": None})
