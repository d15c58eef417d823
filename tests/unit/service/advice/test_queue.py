from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from service.advice.outcomes import DRAFTED, REFUSED, Draft
from service.advice.prompt import ReviewForPrompt
from service.advice.queue import LEASE_DURATION, MAX_ATTEMPTS, AdviceQueue, LeasedReview, review_for_prompt
from service.database.tables import AdviceRow, ReviewRow
from service.reviews.repository import ReviewRepository
from telemetry.database import transaction
from tests.support.fakes import MINUTE, NOON, a_review, answered, on_sqlite, plans_of, rows_of

pytestmark = pytest.mark.long_on_postgresql

SECOND = timedelta(seconds=1)


def a_draft(**known):
    return Draft(
        **{"outcome": DRAFTED, "text": "Thank you!", "model": "gpt-5.4-mini", "input_tokens": 400, "output_tokens": 60}
        | {"cost_usd": Decimal("0.000570"), "reason": None}
        | known
    )


REFUSAL = a_draft(outcome=REFUSED, text=None, reason="It says no.")


class Queue:
    """The queue of a database, with a transaction for each call."""

    def __init__(self, engine):
        self.engine = engine

    def __getattr__(self, name):
        def ask(*arguments):
            with transaction(self.engine) as session:
                return getattr(AdviceQueue(session), name)(*arguments)

        return ask

    def keep_reviews(self, *reviews):
        with transaction(self.engine) as session:
            ReviewRepository(session).save(reviews, NOON)

    def change(self, **values):
        with transaction(self.engine) as session:
            session.execute(update(ReviewRow).values(**values))

    def due(self):
        return {row.external_id: (row.advice_due_at, row.advice_attempts) for row in rows_of(self.engine, ReviewRow)}


@pytest.fixture
def queue(engine):
    return Queue(engine)


def test_the_newest_that_is_due_is_leased_and_then_the_next_and_then_none(queue):
    queue.keep_reviews(a_review(1), a_review(3), a_review(2), answered(4))

    leased = [queue.lease(NOON) for _ in range(4)]

    assert [each and each.review_id for each in leased] == [2, 3, 1, None]
    assert [each.attempt for each in leased[:3]] == [1, 1, 1]
    assert queue.due()["review-3"] == (NOON + LEASE_DURATION, 1)
    assert queue.due()["review-4"] == (None, 0)


def test_what_is_leased_says_what_the_review_says_and_nothing_of_who_wrote_it(queue):
    told = {"text": "Too small.", "pros": "Soft", "cons": "Size", "product_name": "Pyjamas"}
    queue.keep_reviews(a_review(1, rating=2, marketplace="ozon", **told))

    subject = queue.lease(NOON).subject

    assert subject == ReviewForPrompt(marketplace="ozon", rating=2, **told)
    assert subject == review_for_prompt(rows_of(queue.engine, ReviewRow)[0])


def test_nothing_is_leased_before_it_is_due(queue):
    queue.keep_reviews(a_review(1))

    assert queue.lease(NOON - SECOND) is None
    assert queue.count_waiting() == 1


def test_a_lease_that_is_over_is_had_by_the_next_one_and_counts_as_an_attempt(queue):
    queue.keep_reviews(a_review(1))
    queue.lease(NOON)

    assert queue.lease(NOON + LEASE_DURATION - SECOND) is None
    assert queue.lease(NOON + LEASE_DURATION).attempt == 2


def test_a_draft_is_kept_with_all_that_is_known_of_it_and_the_review_waits_no_longer(queue):
    queue.keep_reviews(a_review(1))

    queue.complete(queue.lease(NOON), a_draft(model="m" * 200), NOON + MINUTE)

    [row] = rows_of(queue.engine, AdviceRow)
    assert (row.review_id, row.created_at, row.outcome, row.text) == (1, NOON + MINUTE, DRAFTED, "Thank you!")
    assert (row.model, row.input_tokens, row.output_tokens) == ("m" * 100, 400, 60)
    assert (row.cost_usd, row.reason) == (Decimal("0.000570"), None)
    assert queue.due() == {"review-1": (None, 1)}
    assert queue.count_waiting() == 0


def test_what_did_not_come_about_is_kept_too_and_the_review_waits(queue):
    queue.keep_reviews(a_review(1))

    queue.complete(queue.lease(NOON), REFUSAL, NOON)

    [row] = rows_of(queue.engine, AdviceRow)
    assert (row.outcome, row.text, row.reason) == (REFUSED, None, "It says no.")
    assert queue.due() == {"review-1": (NOON + 15 * MINUTE, 1)}
    assert queue.count_waiting() == 1


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (MAX_ATTEMPTS, None), (9, None)])
@on_sqlite
def test_a_pause_is_twice_the_one_before_until_it_is_given_up(queue, attempt, minutes):
    queue.keep_reviews(a_review(1))
    queue.change(advice_attempts=attempt - 1)

    queue.postpone(queue.lease(NOON), NOON)

    assert queue.due() == {"review-1": (minutes and NOON + minutes * MINUTE, attempt)}


def test_what_is_given_back_is_due_at_once_and_was_no_attempt(queue):
    queue.keep_reviews(a_review(1))
    queue.complete(queue.lease(NOON), REFUSAL, NOON)
    later = NOON + 15 * MINUTE

    queue.release(queue.lease(later), later + SECOND)

    assert queue.due() == {"review-1": (later + SECOND, 1)}
    assert queue.lease(later + SECOND).attempt == 2


@pytest.mark.parametrize("say", ["release", "postpone"])
def test_one_whose_lease_was_over_says_nothing_of_the_next_ones(queue, say):
    queue.keep_reviews(a_review(1))
    slow = queue.lease(NOON)
    queue.lease(NOON + LEASE_DURATION)
    before = queue.due()

    getattr(queue, say)(slow, NOON + LEASE_DURATION + SECOND)

    assert queue.due() == before == {"review-1": (NOON + 2 * LEASE_DURATION, 2)}


def test_a_draft_counts_also_when_its_lease_was_over(queue):
    queue.keep_reviews(a_review(1))
    slow, quick = queue.lease(NOON), queue.lease(NOON + LEASE_DURATION)

    queue.complete(slow, a_draft(), NOON + LEASE_DURATION + SECOND)
    queue.complete(quick, REFUSAL, NOON + LEASE_DURATION + MINUTE)

    assert queue.due() == {"review-1": (None, 2)}
    assert len(rows_of(queue.engine, AdviceRow)) == 2


@pytest.mark.parametrize("say", ["release", "postpone"])
def test_what_was_answered_meanwhile_is_not_due_again(queue, say):
    queue.keep_reviews(a_review(1))
    leased = queue.lease(NOON)
    queue.keep_reviews(answered(1, as_of=NOON + MINUTE))

    getattr(queue, say)(leased, NOON + MINUTE)

    assert queue.due() == {"review-1": (None, 1)}


@on_sqlite
def test_what_somebody_has_drafted_by_hand_is_not_drafted_once_more(queue):
    queue.keep_reviews(a_review(1), a_review(2), a_review(3))

    queue.add_draft(1, a_draft(), NOON)
    queue.add_draft(2, REFUSAL, NOON)

    assert [due for due, _ in queue.due().values()] == [None, NOON, NOON]


@on_sqlite
def test_what_nobody_leased_is_nobodys(queue):
    queue.keep_reviews(a_review(1), a_review(2))
    leased = queue.lease(NOON)

    queue.postpone(LeasedReview(leased.review_id + 1, leased.subject, 1), NOON)
    queue.postpone(LeasedReview(99, leased.subject, 1), NOON)

    assert queue.due() == {"review-1": (NOON, 0), "review-2": (NOON + LEASE_DURATION, 1)}


def test_the_newest_that_is_due_is_found_along_the_index_of_what_is_due(queue):
    queue.keep_reviews(*(a_review(number) for number in range(50)))

    [plan, *_] = plans_of(queue.engine, lambda: queue.lease(NOON))

    assert "ix_reviews_due" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


@pytest.mark.parametrize("hours", [0.5, 1, 24])
def test_a_review_is_due_at_once_after_the_clock_was_set_back(engine, hours):
    queue = Queue(engine)
    queue.keep_reviews(a_review())

    assert queue.lease(NOON - timedelta(hours=hours)) is not None


@pytest.mark.parametrize("attempts", range(1, MAX_ATTEMPTS + 1))
def test_a_lease_from_before_the_clock_was_set_back_ends(engine, attempts):
    queue = Queue(engine)
    queue.keep_reviews(a_review())
    queue.change(advice_attempts=attempts - 1)
    queue.lease(NOON)

    assert queue.lease(NOON) is None
    assert queue.lease(NOON - timedelta(hours=3)) is not None
