from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from service.database.tables import ReviewRow
from service.integrations.http.errors import Forbidden, RateLimited, Unreachable
from service.integrations.marketplace import Review
from service.reviews.correction import Corrector
from service.reviews.publishing import CLAIM_TTL, InvalidAnswer, NotPublished, PublicationUnknown
from service.reviews.repository import ReviewRepository
from service.shutdown import ShutdownRequested
from telemetry.database import transaction
from tests.support.fakes import MINUTE, NOON, a_review, answered, invalid_row, on_sqlite

BETTER = "Спасибо за отзыв!"
LATER = NOON + 2 * MINUTE


def rejected(**known):
    return answered(1, **{"answer_state": "rejected", "answer_text": "Звоните нам", "answer_editable": True} | known)


class Marketplace:
    """Has one review with a rejected answer. `takes` says what becomes of a correction: shown, not shown, or an error."""

    name, answer_length = "wb", 5000
    unanswered = history = ()

    def __init__(self, review=None, takes="shows", state="moderation"):
        self.review, self.takes, self.state, self.written = review or rejected(), takes, state, []

    def read(self, _external_id):
        return replace(self.review, as_of=NOON + MINUTE) if isinstance(self.review, Review) else self.review

    def answer(self, _external_id, _text):
        raise AssertionError("A rejected answer is corrected, not sent again.")

    def correct(self, _external_id, text):
        self.written.append(text)
        shows, error = (self.takes, None) if isinstance(self.takes, str) else self.takes
        if shows == "shows":
            self.review = replace(self.review, answer_text=text, answer_state=self.state, answer_editable=False)
        if error:
            raise error


@pytest.fixture
def kept(engine):
    with transaction(engine) as session:
        ReviewRepository(session).save([rejected()], NOON)
    return engine


def load_row(engine):
    with transaction(engine) as session:
        return session.scalars(select(ReviewRow)).one()


def correct(engine, marketplace, text=BETTER, now=LATER):
    corrector = Corrector(engine, marketplace, lambda: now, lambda _seconds: None)
    return corrector.correct(load_row(engine), text)


@pytest.mark.parametrize(("state", "told"), [("moderation", "sent"), ("published", "published")])
def test_a_rejected_answer_is_corrected_once_and_read_back(kept, state, told):
    marketplace = Marketplace(state=state)

    publication = correct(kept, marketplace, f"  {BETTER}\n")

    row = load_row(kept)
    assert (publication.state, publication.text, marketplace.written) == (told, BETTER, [BETTER])
    assert (row.answer_text, row.answer_state, row.answered) == (BETTER, state, True)
    assert row.answer_corrected_at == LATER


@on_sqlite
def test_a_correction_that_is_not_shown_yet_is_sent_and_looked_at_by_each_sync(kept):
    assert correct(kept, Marketplace(takes="hides")).state == "sent"

    with transaction(kept) as session:
        assert ReviewRepository(session).in_moderation("wb", LATER, 10) == ["review-1"]


@on_sqlite
def test_an_answer_that_is_rejected_again_says_that_it_was_corrected_already(kept):
    marketplace = Marketplace(state="rejected")
    correct(kept, marketplace)

    with pytest.raises(NotPublished, match=r"was corrected on 2025-10-02: it can be corrected only once\.$"):
        correct(kept, marketplace, "Ещё раз спасибо!", LATER + CLAIM_TTL + MINUTE)

    assert marketplace.written == [BETTER]
    assert load_row(kept).answer_corrected_at == LATER


@on_sqlite
def test_an_answer_that_may_not_be_changed_any_more_is_too_late(kept):
    marketplace = Marketplace(rejected(answer_editable=False))

    with pytest.raises(NotPublished, match="cannot be corrected any more: that is possible once, within 60 days"):
        correct(kept, marketplace)

    assert marketplace.written == []
    assert load_row(kept).answer_corrected_at is None


@on_sqlite
def test_whether_it_may_be_changed_decides_the_marketplace_if_it_does_not_say(kept):
    assert correct(kept, Marketplace(rejected(answer_editable=None))).text == BETTER


@on_sqlite
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "correct it with a `text` of your own"),
        ("", "has 2 to 5000 characters, not 0"),
        (" x ", "has 2 to 5000 characters, not 1"),
        ("x" * 5001, "has 2 to 5000 characters, not 5001"),
        (" Звоните нам ", "the text that was rejected"),
    ],
)
def test_a_text_that_is_missing_or_unfit_is_refused_before_anything_is_sent(kept, text, sentence):
    marketplace = Marketplace()

    with pytest.raises(InvalidAnswer, match=sentence):
        correct(kept, marketplace, text)

    assert marketplace.written == []
    assert load_row(kept).answer_corrected_at is None


@on_sqlite
@pytest.mark.parametrize(
    ("review", "sentence"),
    [
        (a_review(1), "has no answer any more"),
        (rejected(answer_state="published"), "no longer rejected, as the marketplace says: it is published"),
        (rejected(answer_state="moderation"), "no longer rejected, as the marketplace says: it is moderation"),
        (invalid_row(1), "does not show this review"),
    ],
)
def test_what_has_changed_meanwhile_is_not_corrected(kept, review, sentence):
    marketplace = Marketplace(review)

    with pytest.raises(NotPublished, match=sentence):
        correct(kept, marketplace)

    assert marketplace.written == []
    assert load_row(kept).answer_corrected_at is None


@on_sqlite
def test_a_marketplace_that_lets_no_answer_be_changed_says_so(kept):
    class Ozon:
        name, answer_length = "ozon", 1000

    with pytest.raises(NotPublished, match="ozon does not let an answer be changed"):
        correct(kept, Ozon())


@on_sqlite
@pytest.mark.parametrize(
    "error",
    [Forbidden("no"), RateLimited("wb", LATER), Unreachable("refused", may_have_applied=False)],
    ids=lambda error: type(error).__name__,
)
def test_what_has_not_arrived_may_be_tried_again_at_once(kept, error):
    marketplace = Marketplace(takes=("hides", error))
    with pytest.raises(type(error)):
        correct(kept, marketplace)

    marketplace.takes = "shows"

    assert correct(kept, marketplace).text == BETTER


@on_sqlite
def test_what_was_cut_off_and_is_found_on_reading_back_is_corrected(kept):
    marketplace = Marketplace(takes=("shows", Unreachable("cut", may_have_applied=True)))

    assert correct(kept, marketplace).state == "sent"
    assert load_row(kept).answer_text == BETTER


@on_sqlite
@pytest.mark.parametrize("error", [Unreachable("cut", may_have_applied=True), ShutdownRequested(), ZeroDivisionError()])
def test_what_was_cut_off_and_is_not_found_is_not_sent_again_for_an_hour(kept, error):
    marketplace = Marketplace(takes=("hides", error))
    with pytest.raises((PublicationUnknown, type(error))):
        correct(kept, marketplace)

    with pytest.raises(NotPublished, match="A correction was sent and is not confirmed yet"):
        correct(kept, marketplace, now=LATER + CLAIM_TTL - MINUTE)
    assert marketplace.written == [BETTER]

    marketplace.takes = "shows"
    assert correct(kept, marketplace, now=LATER + CLAIM_TTL + MINUTE).text == BETTER


@on_sqlite
def test_a_look_that_fails_before_anything_is_sent_gives_the_answer_back(kept):
    marketplace = Marketplace()
    marketplace.read = lambda _external_id: (_ for _ in ()).throw(Unreachable("timed out", may_have_applied=True))
    with pytest.raises(Unreachable):
        correct(kept, marketplace)

    assert correct(kept, Marketplace()).text == BETTER


@on_sqlite
def test_of_two_at_once_one_is_sent(kept):
    class Slow(Marketplace):
        """While it writes, somebody else wants to correct the same answer."""

        def correct(self, external_id, text):
            with pytest.raises(NotPublished, match="not confirmed yet"):
                correct(kept, self)
            super().correct(external_id, text)

    marketplace = Slow()
    correct(kept, marketplace)

    assert marketplace.written == [BETTER]


@on_sqlite
def test_a_correction_from_before_the_clock_was_set_back_is_no_claim(kept):
    with transaction(kept) as session:
        session.execute(update(ReviewRow).values(answer_corrected_at=NOON + timedelta(days=400)))

    assert correct(kept, Marketplace()).text == BETTER
