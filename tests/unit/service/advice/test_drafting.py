import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from service.advice import drafting
from service.advice.drafting import DraftingRun
from service.advice.outcomes import DRAFTED, REFUSED, Draft
from service.advice.queue import LEASE_DURATION, MAX_ATTEMPTS, AdviceQueue
from service.database.tables import AdviceRow, ReviewRow
from service.integrations.http.errors import Misconfigured, NotFound, RateLimited, Rejected, Unauthorized, Unreachable
from service.integrations.openai.errors import InputRefused, QuotaExhausted
from service.reviews.repository import ReviewFilter, ReviewRepository
from service.shutdown import ShutdownRequested
from telemetry.database import create_engine, transaction
from tests.support.fakes import NOON, a_review

HOUR = timedelta(hours=1)


def a_draft(outcome=DRAFTED, text="Thank you!", reason=None):
    return Draft(
        outcome=outcome,
        text=text if outcome == DRAFTED else None,
        model="gpt-5.4-mini",
        input_tokens=400,
        output_tokens=60,
        cost_usd=Decimal("0.000570"),
        reason=reason,
    )


class Drafter:
    """Returns the given results one after the other, and repeats the last; raises exceptions."""

    model = "gpt-5.4-mini"

    def __init__(self, *given):
        self.given, self.asked = list(given) or [a_draft()], []

    def draft(self, subject, answer_length):
        self.asked.append((subject.text, answer_length))
        result = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(result, BaseException):
            raise result
        return result


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def keep(engine, *reviews):
    with transaction(engine) as session:
        ReviewRepository(session).save(reviews, NOON)


def due(engine):
    with transaction(engine) as session:
        rows = session.scalars(select(ReviewRow).order_by(ReviewRow.id))
        return {row.external_id: row.advice_due_at for row in rows}


def advice(engine):
    with transaction(engine) as session:
        rows = session.execute(
            select(ReviewRow.external_id, AdviceRow.outcome, AdviceRow.text)
            .join(AdviceRow, AdviceRow.review_id == ReviewRow.id)
            .order_by(AdviceRow.id)
        )
        return [tuple(row) for row in rows]


def test_each_review_that_waits_gets_a_draft_the_newest_first(engine, clock):
    keep(engine, a_review(1, text="old"), a_review(3, text="new"), a_review(2, text="between"))
    drafter, progress = Drafter(), {}

    done = DraftingRun(engine, drafter, clock).run(progress)

    assert [text for text, _ in drafter.asked] == ["new", "between", "old"]
    assert advice(engine) == [(f"review-{number}", DRAFTED, "Thank you!") for number in (3, 2, 1)]
    assert set(due(engine).values()) == {None}
    assert done == {DRAFTED: 3, "cost_usd": pytest.approx(0.00171), "waiting": 0}


def test_with_nothing_due_nobody_is_asked(engine, clock):
    drafter = Drafter()

    assert DraftingRun(engine, drafter, clock).run({}) == {DRAFTED: 0, "waiting": 0}
    assert drafter.asked == []


def test_what_is_refused_is_kept_with_its_reason_and_due_again_later_each_time_five_times_in_all(engine, clock):
    keep(engine, a_review())
    drafter = Drafter(a_draft(REFUSED, reason="It says no."))
    pauses = []

    for _ in range(MAX_ATTEMPTS):
        DraftingRun(engine, drafter, clock).run({})
        if when := due(engine)["review-1"]:
            pauses.append(when - clock.now)
            clock.now = when

    assert pauses == [timedelta(minutes=minutes) for minutes in (15, 30, 60, 120)]
    assert due(engine) == {"review-1": None}
    assert advice(engine) == [("review-1", REFUSED, None)] * MAX_ATTEMPTS


def test_without_money_the_run_ends_and_what_is_due_stays_due(engine, clock):
    keep(engine, a_review(1), a_review(2))
    drafter, progress = Drafter(a_draft(), QuotaExhausted()), {}

    with pytest.raises(QuotaExhausted, match="Top it up"):
        DraftingRun(engine, drafter, clock).run(progress)

    assert progress == {DRAFTED: 1, "cost_usd": pytest.approx(0.00057)}
    assert due(engine) == {"review-1": NOON, "review-2": None}
    assert attempts(engine) == {"review-1": 0, "review-2": 1}


def attempts(engine):
    with transaction(engine) as session:
        return {row.external_id: row.advice_attempts for row in session.scalars(select(ReviewRow))}


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized("check OPENAI_API_KEY"),
        Misconfigured("check OPENAI_MODEL"),
        Unreachable("timed out", may_have_applied=True),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_would_have_happened_to_any_review_is_none_ones_fault(engine, clock, error):
    keep(engine, a_review())

    with pytest.raises(type(error)):
        DraftingRun(engine, Drafter(error), clock).run({})

    assert due(engine) == {"review-1": NOON}
    assert attempts(engine) == {"review-1": 0}


def test_a_review_that_cannot_be_drafted_for_does_not_stand_in_the_way_of_the_others(engine, clock):
    keep(engine, a_review(1), a_review(2, text="poison"))

    with pytest.raises(ZeroDivisionError):
        DraftingRun(engine, Drafter(ZeroDivisionError()), clock).run({})
    drafter = Drafter()
    DraftingRun(engine, drafter, clock).run({})

    assert [text for text, _ in drafter.asked] == ["Fits well."]
    assert due(engine)["review-2"] == NOON + timedelta(minutes=15)


@pytest.mark.parametrize("error", [Rejected("too long"), InputRefused("too long"), NotFound("too long")])
def test_a_review_that_is_refused_is_kept_with_the_reason_and_the_run_goes_on(engine, clock, error):
    keep(engine, a_review(1), a_review(2), a_review(3))
    drafter = Drafter(a_draft(), error, a_draft())

    done = DraftingRun(engine, drafter, clock).run({})

    assert (done[DRAFTED], done[REFUSED]) == (2, 1)
    with transaction(engine) as session:
        reviews = ReviewRepository(session)
        [refused] = [row for row in reviews.page(ReviewFilter()) if row.external_id == "review-2"]
        advice = reviews.advice(refused.id)
    assert (advice.outcome, advice.reason, advice.model) == (REFUSED, "too long", "gpt-5.4-mini")
    assert due(engine)["review-2"] == NOON + timedelta(minutes=15)


def test_refusals_of_one_review_after_the_other_end_the_run(engine, clock):
    keep(engine, *(a_review(number) for number in range(9)))
    progress, drafter = {}, Drafter(Rejected("1"), a_draft(), *(Rejected(word) for word in "2345"))

    with pytest.raises(Rejected, match="4"):
        DraftingRun(engine, drafter, clock).run(progress)

    assert progress == {DRAFTED: 1, REFUSED: 4, "cost_usd": pytest.approx(0.00057)}
    assert len(drafter.asked) == 5


def test_a_wait_that_is_too_long_ends_the_run_well_and_says_until_when(engine, clock):
    keep(engine, a_review())
    until = datetime(2025, 10, 2, 13, tzinfo=UTC)

    done = DraftingRun(engine, Drafter(RateLimited("OpenAI", until)), clock).run({})

    assert done == {DRAFTED: 0, "paused_until": until.isoformat(), "waiting": 1}
    assert due(engine) == {"review-1": NOON}


def test_what_was_done_is_told_as_it_is_done(engine, clock):
    progress, told = {}, []

    class Watched(Drafter):
        def draft(self, subject, answer_length):
            told.append(dict(progress))
            return super().draft(subject, answer_length)

    keep(engine, a_review(1), a_review(2), a_review(3))
    DraftingRun(engine, Watched(a_draft(), a_draft(REFUSED, reason="no"), a_draft()), clock).run(progress)

    assert told == [{}, {DRAFTED: 1, "cost_usd": 0.00057}, {DRAFTED: 1, REFUSED: 1, "cost_usd": 0.00114}]
    assert progress == {DRAFTED: 2, REFUSED: 1, "cost_usd": 0.00171}


def test_a_draft_of_unknown_price_costs_nothing_that_is_known(engine, clock):
    keep(engine, a_review(1), a_review(2), a_review(3))
    unknown = replace(a_draft(), cost_usd=None)

    done = DraftingRun(engine, Drafter(unknown, Rejected("no"), unknown), clock).run({})

    assert done == {DRAFTED: 2, REFUSED: 1, "cost_usd": 0.0, "without_price": 2, "waiting": 1}


def test_a_run_has_its_measure(engine, clock, monkeypatch):
    monkeypatch.setattr(drafting, "MAX_DRAFTS", 2)
    keep(engine, *(a_review(number) for number in range(4)))

    assert DraftingRun(engine, Drafter(), clock).run({})["waiting"] == 2
    assert DraftingRun(engine, Drafter(), clock).run({}, budget=0)["waiting"] == 2


def test_a_drafter_that_dies_gives_its_review_back_when_its_lease_ends(engine, clock):
    keep(engine, a_review())
    with transaction(engine) as session:
        assert AdviceQueue(session).lease(NOON) is not None  # and nothing more is heard of it

    drafter = Drafter()
    DraftingRun(engine, drafter, clock).run({})
    assert drafter.asked == []
    clock.now += LEASE_DURATION + timedelta(seconds=1)
    DraftingRun(engine, drafter, clock).run({})

    assert len(drafter.asked) == 1


def test_two_at_once_never_draft_for_the_same_review(engine, clock):
    keep(engine, *(a_review(number, text=str(number)) for number in range(20)))
    together, drafter = threading.Barrier(2), Drafter()

    def run(own):
        together.wait(30)
        DraftingRun(own, drafter, clock).run({})
        own.dispose()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, [create_engine(engine.url) for _ in range(2)]))

    assert sorted(text for text, _ in drafter.asked) == sorted(map(str, range(20)))


def test_a_review_that_was_answered_meanwhile_is_not_made_due_again(engine, clock):
    class Answering(Drafter):
        def draft(self, subject, answer_length):
            with transaction(engine) as session:
                session.execute(update(ReviewRow).values(answered=True, advice_due_at=None))
            return super().draft(subject, answer_length)

    keep(engine, a_review())

    DraftingRun(engine, Answering(a_draft(REFUSED, reason="no")), clock).run({})

    assert due(engine) == {"review-1": None}


def test_a_service_that_is_told_to_stop_ends_the_run_between_two_drafts(engine, clock):
    keep(engine, a_review(1), a_review(2))
    drafter = Drafter()

    with pytest.raises(ShutdownRequested):
        DraftingRun(engine, drafter, clock, lambda: not drafter.asked).run({})

    assert len(drafter.asked) == 1
    assert due(engine) == {"review-1": NOON, "review-2": None}
