import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from service.database.tables import ReviewRow
from service.integrations.http.errors import Forbidden, TooManyRequests, Unreachable
from service.integrations.marketplace import Review
from service.reviews.publishing import CLAIM_TTL, InvalidAnswer, NotPublished, PublicationUnknown, Publisher
from service.reviews.repository import ReviewRepository
from service.shutdown import ShutdownRequested
from telemetry.database import create_engine, transaction
from tests.support.fakes import NOON, a_review, answered, invalid_row

pytestmark = pytest.mark.long_on_postgresql

MINUTE = timedelta(minutes=1)
THANKS = "Thank you!"


class Marketplace:
    """Has one review. `takes` decides what becomes of an answer: shown, shown later, accepted for certain, or an error."""

    name, answer_length = "wb", 5000
    unanswered = history = ()

    def __init__(self, review, takes="shows"):
        self.review, self.takes, self.written, self.reads = review, takes, [], 0
        self.fails_to_read, self.state = False, "published"
        self._lock = threading.Lock()

    def read(self, external_id):
        self.reads += 1
        if self.fails_to_read and self.written:
            raise Unreachable("timed out", may_have_applied=True)
        return replace(self.review, as_of=NOON + MINUTE) if isinstance(self.review, Review) else self.review

    def answer(self, external_id, text):
        with self._lock:
            self.written.append(text)
        if isinstance(self.takes, tuple):
            error, shows = self.takes
            if shows:
                self.show(text)
            raise error
        if self.takes == "shows":
            self.show(text)
        return self.takes == "proven"

    def show(self, text):
        self.review = replace(self.review, answered=True, answer_text=text, answer_state=self.state)


def raising(error):
    def read(_external_id):
        raise error

    return read


@pytest.fixture
def kept(engine):
    with transaction(engine) as session:
        ReviewRepository(session).save([a_review()], NOON)
    return engine


def load_row(engine):
    with transaction(engine) as session:
        return session.scalars(select(ReviewRow)).one()


def publisher(engine, marketplace, now=lambda: NOON + 2 * MINUTE):
    return Publisher(engine, marketplace, now, lambda _seconds: None)


def test_an_answer_is_written_once_and_read_back(kept):
    marketplace = Marketplace(a_review())

    publication = publisher(kept, marketplace).publish(load_row(kept), f"  {THANKS}\n")

    row = load_row(kept)
    assert (publication.state, publication.text) == ("published", THANKS)
    assert marketplace.written == [THANKS]
    assert (row.answered, row.answer_text, row.answer_state) == (True, THANKS, "published")
    assert (row.answer_claimed_at, row.advice_due_at) == (None, None)


def test_a_second_time_is_refused(kept):
    marketplace = Marketplace(a_review())
    publisher(kept, marketplace).publish(load_row(kept), THANKS)

    with pytest.raises(NotPublished, match="has an answer"):
        publisher(kept, marketplace).publish(load_row(kept), "Once more!")

    assert marketplace.written == [THANKS]


def test_what_the_marketplace_has_taken_and_does_not_show_yet_is_sent_and_not_sent_again(kept):
    marketplace = Marketplace(a_review(), takes="later")

    publication = publisher(kept, marketplace).publish(load_row(kept), THANKS)
    with pytest.raises(NotPublished, match="not confirmed yet"):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert publication.state == "sent"
    assert marketplace.written == [THANKS]
    assert not load_row(kept).answered


def test_what_the_marketplace_has_certainly_taken_is_in_moderation_until_it_shows_it(kept):
    marketplace = Marketplace(a_review(), takes="proven")

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"
    row = load_row(kept)
    assert (row.answered, row.answer_text, row.answer_state) == (True, THANKS, "moderation")


def test_an_answer_that_the_marketplace_moderates_is_sent(kept):
    marketplace = Marketplace(a_review())
    marketplace.state = "moderation"

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"
    assert (load_row(kept).answered, load_row(kept).answer_state) == (True, "moderation")


def test_an_answer_that_is_rejected_at_once_is_not_published(kept):
    marketplace = Marketplace(a_review(answer_reason="links"))
    marketplace.state = "rejected"

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"

    assert (load_row(kept).answer_state, load_row(kept).answer_reason) == ("rejected", "links")


def test_a_processed_review_whose_answer_is_not_listed_yet_is_in_moderation(kept):
    marketplace = Marketplace(a_review())
    marketplace.show = lambda _text: setattr(
        marketplace, "review", a_review(answered=True, answer_text=None, answer_state="none")
    )

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"
    assert (load_row(kept).answer_text, load_row(kept).answer_state) == (THANKS, "moderation")


def test_a_review_that_somebody_has_answered_elsewhere_gets_no_other_answer(kept):
    marketplace = Marketplace(a_review(answered=True, answer_text="From the cabinet", answer_state="published"))

    with pytest.raises(NotPublished, match="as the marketplace says"):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert marketplace.written == []
    assert load_row(kept).answer_text == "From the cabinet"


def test_a_review_that_is_gone_gets_none(kept):
    marketplace = Marketplace(None)

    with pytest.raises(NotPublished, match="no such review"):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert marketplace.written == []
    assert load_row(kept).gone_at is not None


@pytest.mark.parametrize(
    "error",
    [Unreachable("refused", may_have_applied=False), TooManyRequests("wb", 5.0), Forbidden("not this token")],
    ids=lambda error: type(error).__name__,
)
def test_what_has_not_arrived_may_be_tried_again_at_once(kept, error):
    marketplace = Marketplace(a_review(), takes=(error, False))

    with pytest.raises(type(error)):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)
    marketplace.takes = "shows"

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "published"


def test_what_was_cut_off_and_is_found_on_reading_back_is_published(kept):
    marketplace = Marketplace(a_review(), takes=(Unreachable("timed out", may_have_applied=True), True))

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "published"
    assert load_row(kept).answered


@pytest.mark.parametrize("fails_to_read", [False, True])
def test_what_was_cut_off_and_is_not_found_is_not_sent_again_before_it_is_known(kept, fails_to_read):
    marketplace = Marketplace(a_review(), takes=(Unreachable("timed out", may_have_applied=True), False))
    marketplace.fails_to_read = fails_to_read

    with pytest.raises(PublicationUnknown, match="did not say whether"):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)
    with pytest.raises(NotPublished):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert marketplace.written == [THANKS]


def test_after_an_hour_it_may_be_tried_again_which_begins_with_a_look(kept):
    marketplace = Marketplace(a_review(), takes=(Unreachable("timed out", may_have_applied=True), False))
    with pytest.raises(PublicationUnknown):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)
    marketplace.takes = "shows"
    looked = marketplace.reads

    later = publisher(kept, marketplace, lambda: NOON + CLAIM_TTL + 5 * MINUTE)
    assert later.publish(load_row(kept), THANKS).state == "published"

    assert marketplace.written == [THANKS, THANKS]
    assert marketplace.reads > looked + 1


def test_a_look_that_fails_before_anything_is_written_gives_the_review_back(kept):
    marketplace = Marketplace(a_review())
    marketplace.written.append("earlier")
    marketplace.fails_to_read = True

    with pytest.raises(Unreachable):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert load_row(kept).answer_claimed_at is None


def test_of_two_at_once_one_writes(kept):
    marketplace, row = Marketplace(a_review(), takes="later"), load_row(kept)
    together = threading.Barrier(2)

    def publish(engine):
        together.wait(30)
        try:
            return publisher(engine, marketplace).publish(row, THANKS).state
        except NotPublished:
            return "refused"
        finally:
            engine.dispose()

    with ThreadPoolExecutor(2) as threads:
        states = list(threads.map(publish, [create_engine(kept.url) for _ in range(2)]))

    assert sorted(states) == ["refused", "sent"]
    assert marketplace.written == [THANKS]


def test_a_review_that_cannot_be_read_is_answered_all_the_same_and_counts_as_sent(kept):
    marketplace = Marketplace(invalid_row())
    marketplace.show = lambda _text: None

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"
    assert marketplace.written == [THANKS]


def test_an_answer_that_is_shown_without_its_text_is_kept_with_the_text_that_was_sent(kept):
    marketplace = Marketplace(a_review())
    marketplace.show = lambda _text: setattr(marketplace, "review", answered(answer_text=None))

    publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert (load_row(kept).answered, load_row(kept).answer_text) == (True, THANKS)


def test_it_is_looked_at_again_and_again_until_the_answer_shows(kept):
    marketplace, waits = Marketplace(a_review(), takes="later"), []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            marketplace.show(THANKS)

    publication = Publisher(kept, marketplace, lambda: NOON + 2 * MINUTE, wait).publish(load_row(kept), THANKS)

    assert publication.state == "published"
    assert waits == [0.0, 1.0, 2.0]


def test_what_was_written_stays_sent_though_it_cannot_be_read_back(kept):
    marketplace = Marketplace(a_review())
    marketplace.fails_to_read = True

    assert publisher(kept, marketplace).publish(load_row(kept), THANKS).state == "sent"
    assert load_row(kept).answer_claimed_at == NOON + 2 * MINUTE


def test_a_service_that_stops_before_anything_is_written_gives_the_review_back(kept):
    marketplace = Marketplace(a_review())
    marketplace.read = raising(ShutdownRequested())

    with pytest.raises(ShutdownRequested):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert load_row(kept).answer_claimed_at is None


@pytest.mark.parametrize("error", [ShutdownRequested(), ZeroDivisionError()], ids=lambda error: type(error).__name__)
def test_whatever_cuts_off_the_writing_the_review_is_not_answered_again_before_it_is_known(kept, error):
    marketplace = Marketplace(a_review(), takes=(error, False))

    with pytest.raises(type(error)):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)
    with pytest.raises(NotPublished, match="not confirmed yet"):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)

    assert marketplace.written == [THANKS]


@pytest.mark.parametrize("text", ["", " x ", "x" * 5001])
def test_a_text_that_the_marketplace_would_not_take_is_said_before_anything_is_sent(kept, text):
    marketplace = Marketplace(a_review())

    with pytest.raises(InvalidAnswer, match=f"2 to 5000 characters, not {len(text.strip())}"):
        publisher(kept, marketplace).publish(load_row(kept), text)

    assert (marketplace.written, marketplace.reads) == ([], 0)
    assert load_row(kept).answer_claimed_at is None


def test_a_claim_from_before_the_clock_was_set_back_lasts_an_hour_from_then(kept):
    marketplace = Marketplace(a_review(), takes=(Unreachable("timed out", may_have_applied=True), False))
    with pytest.raises(PublicationUnknown):
        publisher(kept, marketplace).publish(load_row(kept), THANKS)
    marketplace.takes = "shows"
    set_back = NOON - timedelta(days=1)

    with pytest.raises(NotPublished):
        publisher(kept, marketplace, lambda: set_back).publish(load_row(kept), THANKS)
    later = publisher(kept, marketplace, lambda: set_back + CLAIM_TTL + MINUTE)

    assert later.publish(load_row(kept), THANKS).state == "published"
