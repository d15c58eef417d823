"""A seller at the fake Wildberries: an HTTP client with a token, and the calls that tests make."""

from service.sandbox.credentials import wb_token
from service.sandbox.wildberries.fake import WildberriesFake

ROOT = "/wb-feedbacks/api/v1"
LIST = f"{ROOT}/feedbacks"
ANSWER = f"{ROOT}/feedbacks/answer"
ORDERS = "/wb-statistics/api/v1/supplier/orders"


class WildberriesSeller:
    def __init__(self, environment, make_client, clock):
        self._clock, self._start = clock, clock.now
        self.fake = WildberriesFake(environment, self._seconds)
        self.client = make_client(self.fake)
        self.client.headers["Authorization"] = wb_token()

    def _seconds(self):
        """Since the start: small numbers, of which a float loses no millisecond."""
        return (self._clock.now - self._start).total_seconds()

    def list(self, answered="false", **params):
        return self.client.get(LIST, params={"isAnswered": answered, "take": 5000, "skip": 0, **params})

    def reviews(self, answered="false", **params):
        return self.list(answered, **params).json()["data"]["feedbacks"]

    def unanswered(self):
        """The ids of the reviews without an answer."""
        return [review["id"] for review in self.reviews()]

    def review(self, review_id):
        return self.client.get(f"{ROOT}/feedback", params={"id": review_id}).json()["data"]

    def answer(self, review_id, text="Спасибо за отзыв!"):
        return self.client.post(ANSWER, json={"id": review_id, "text": text})

    def edit(self, review_id, text):
        return self.client.patch(ANSWER, json={"id": review_id, "text": text})

    def orders(self, date_from="2026-01-01", **params):
        return self.client.get(ORDERS, params={"dateFrom": date_from, **params}).json()
