import logging
from contextlib import suppress
from datetime import timedelta

import pytest

from service.database.tables import InvalidRow, ReviewRow, SyncPositionRow
from service.integrations.http.errors import RateLimited, Rejected, Unreachable
from service.integrations.marketplace import IN_MODERATION, REJECTED, InvalidPayload
from service.reviews import sync
from service.reviews.repository import ReviewRepository
from service.reviews.sync import ReviewSync
from service.sync.source_progress import TooManyInvalidRows
from telemetry.database import transaction
from tests.support.fakes import (
    MINUTE,
    NOON,
    UNREACHABLE,
    FakeMarketplace,
    FakeSource,
    TickingClock,
    a_review,
    answered,
    on_sqlite,
    rows_of,
)

PAUSED = RateLimited("wb", NOON + 60 * MINUTE)
UNREADABLE = InvalidPayload(external_id=None, reason="rating is missing", payload={})


class Synced:
    """Runs syncs with one clock, and keeps the counts of the last one."""

    def __init__(self, engine):
        self.told = []
        self._engine = engine
        self.clock = TickingClock()

    def __call__(self, shop, progress=None):
        self.told.clear()
        told = self.told.append
        return ReviewSync(shop, self._engine, lambda *about: told(about), self.clock).run(
            {} if progress is None else progress
        )

    def rows(self):
        return {row.external_id: row for row in rows_of(self._engine, ReviewRow)}


@pytest.fixture
def synced(engine):
    return Synced(engine)


def counted(pages=1, **numbers):
    """The metadata of a sync. After the first one, the history has no new page."""
    return {"pages": pages, "new": 0, "changed": 0, "unchanged": 0, "invalid": 0, "odd": 0, "gone": 0} | numbers


@on_sqlite
def test_what_waits_and_what_was_answered_is_read(synced):
    done = synced(FakeMarketplace(unanswered=[[a_review(1), a_review(2)]], history=[[answered(3)]]))

    assert done == counted(pages=2, new=3)
    assert {name: row.answered for name, row in synced.rows().items()} == {
        "review-1": False,
        "review-2": False,
        "review-3": True,
    }
    assert synced.told == [("new", 2), ("new", 1)]


@on_sqlite
def test_lists_of_what_waits_are_read_as_a_whole_and_the_rest_from_where_it_was_left(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)]], history=[[answered(2)]])
    synced(shop)

    shop.history[0].pages_of.append([answered(3)])
    done = synced(shop)

    assert done == counted(pages=2, unchanged=1, new=1)
    assert (shop.unanswered[0].positions, shop.history[0].positions) == ([{}, {}], [{}, {"page": 1}])


def test_who_waits_no_longer_is_looked_at_and_was_answered(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[a_review(2)]]
    shop.now = {"review-1": answered(1, as_of=NOON + MINUTE)}
    done = synced(shop)

    assert shop.read_alone == ["review-1"]
    assert done == counted(unchanged=1, changed=1)
    assert synced.told == [("unchanged", 1), ("changed", 1)]
    assert synced.rows()["review-1"].answered
    assert synced.rows()["review-1"].advice_due_at is None


@on_sqlite
def test_who_is_on_the_list_of_what_was_answered_is_not_looked_at_again(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.history[0].pages_of.append([answered(1, as_of=NOON + MINUTE)])
    synced(shop)

    assert shop.read_alone == []


@pytest.mark.parametrize("found", [None, a_review(1, as_of=NOON + timedelta(seconds=1))], ids=["removed", "archived"])
def test_who_waits_nowhere_is_gone_and_is_looked_at_once(synced, found):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {"review-1": found}
    done = synced(shop)
    synced(shop)

    assert shop.read_alone == ["review-1"]
    assert done["gone"] == 1
    row = synced.rows()["review-1"]
    assert row.gone_at is not None
    assert row.advice_due_at is None


@on_sqlite
def test_that_a_review_is_gone_is_told(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    synced(shop)

    assert synced.told == [("gone", 1)]


def test_who_comes_back_waits_again(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    synced(shop)
    shop.unanswered[0].pages_of = [[]]
    synced(shop)

    shop.unanswered[0].pages_of = [[a_review(1, as_of=NOON + 60 * MINUTE)]]
    done = synced(shop)

    assert done == counted(changed=1)
    assert synced.rows()["review-1"].gone_at is None


@on_sqlite
def test_one_that_cannot_be_read_alone_is_kept_aside_and_the_next_is_looked_at(engine, synced):
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {
        "review-1": InvalidPayload(external_id="review-1", reason="rating is missing", payload={}),
        "review-2": answered(2, as_of=NOON + MINUTE),
    }
    done = synced(shop)

    [kept] = rows_of(engine, InvalidRow)
    assert (kept.source, kept.reason) == ("wb.reviews", "rating is missing")
    assert done == counted(invalid=1, changed=1)
    assert not synced.rows()["review-1"].gone_at


@on_sqlite
def test_who_was_looked_at_lets_the_others_have_their_turn(synced, monkeypatch):
    monkeypatch.setattr(sync, "MAX_STALE_REVIEWS", 1)
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {"review-1": InvalidPayload(external_id="review-1", reason="rating is missing", payload={})}
    synced(shop)
    synced(shop)

    assert shop.read_alone == ["review-1", "review-2"]


@on_sqlite
def test_one_that_the_marketplace_never_lets_be_read_is_not_in_the_way_of_the_others(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {"review-1": Rejected("no"), "review-2": answered(2, as_of=NOON + MINUTE)}
    for _ in range(2):
        with pytest.raises(Rejected):
            synced(shop)

    assert shop.read_alone == ["review-1", "review-2", "review-1"]
    assert synced.rows()["review-2"].answered
    assert synced.rows()["review-1"].gone_at is None


@on_sqlite
@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Rejected("It says no."), "wb.reviews.single: It says no."),
        (KeyError("Ivan Petrov"), "wb.reviews.single: KeyError"),
        (UNREADABLE, "wb.reviews.single: 6 of 6 rows could not be stored: 6 × rating is missing."),
        (PAUSED, None),
        (None, None),
    ],
)
def test_why_one_cannot_be_read_alone_is_told_at_the_lists_in_which_it_is_missing(engine, synced, found, reason):
    shop = FakeMarketplace(unanswered=[[a_review(number) for number in range(6)]])
    shop.unanswered.append(FakeSource([[]], "wb.reviews.viewed", begins_anew=True))
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {f"review-{number}": found for number in range(6)}
    with suppress(Rejected, KeyError, TooManyInvalidRows):
        synced(shop)

    kept = {row.name: row.last_error for row in rows_of(engine, SyncPositionRow) if row.last_error}
    assert kept == ({"wb.reviews.unanswered": reason, "wb.reviews.viewed": reason} if reason else {})


@on_sqlite
def test_a_list_that_fails_keeps_its_own_reason(engine, synced):
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {"review-1": Rejected("not this one"), "review-2": Rejected("not this one")}
    for _ in range(2):
        with suppress(Rejected, ExceptionGroup):
            synced(shop)
        shop.unanswered[0].pages_of = [Rejected("not the list")]

    assert shop.read_alone == ["review-1", "review-2"]
    assert {row.last_error for row in rows_of(engine, SyncPositionRow)} == {None, "not the list"}


@pytest.mark.parametrize("archived", [False, True], ids=["removed", "archived"])
def test_who_is_found_answered_by_somebody_else_meanwhile_is_not_gone(engine, synced, archived):
    class Busy(FakeMarketplace):
        """Another process has read the review later than this response."""

        def read(self, external_id):
            found = a_review(1, as_of=synced.clock()) if archived else None
            with transaction(engine) as session:
                ReviewRepository(session).save([answered(1, as_of=synced.clock())], synced.clock())
            return found

    shop = Busy(unanswered=[[a_review(1)]])
    synced(shop)
    shop.unanswered[0].pages_of = [[]]

    assert synced(shop)["gone"] == 0
    row = synced.rows()["review-1"]
    assert (row.answered, row.gone_at) == (True, None)


@on_sqlite
def test_nobody_is_missed_before_the_lists_were_read_to_their_end(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)], [a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[], UNREACHABLE]
    with pytest.raises(Unreachable):
        synced(shop)

    assert shop.read_alone == []
    assert synced.rows()["review-1"].gone_at is None


@on_sqlite
def test_who_was_seen_before_a_cut_is_not_missed_behind_it(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)], UNREACHABLE])
    with pytest.raises(Unreachable):
        synced(shop)

    shop.unanswered[0].pages_of[1] = [a_review(2)]
    synced(shop)

    assert shop.unanswered[0].positions == [{}, {"page": 1}]
    assert shop.read_alone == []


@on_sqlite
def test_answers_in_moderation_are_looked_at_again(synced, monkeypatch):
    monkeypatch.setattr(sync, "MAX_MODERATED_REVIEWS", 2)
    moderated = [answered(number, answer_state=IN_MODERATION) for number in (1, 2, 3)]
    shop = FakeMarketplace(history=[[*moderated, answered(4)]], now={row.external_id: row for row in moderated})
    synced(shop)

    shop.now["review-1"] = answered(1, as_of=NOON + MINUTE)
    synced(shop)
    synced(shop)

    assert shop.read_alone[:2] == ["review-1", "review-2"]
    assert shop.read_alone[2] == "review-3"
    assert synced.rows()["review-1"].answer_state == "published"


@on_sqlite
@pytest.mark.parametrize(("reason", "told"), [("contains a link", "review 1 (contains a link)."), (None, "review 1.")])
def test_a_rejected_answer_is_kept_with_its_reason_and_told_once(synced, caplog, reason, told):
    moderated = answered(1, answer_state=IN_MODERATION)
    rejected = answered(1, answer_state=REJECTED, answer_reason=reason, as_of=NOON + MINUTE)
    shop = FakeMarketplace(history=[[moderated]], now={"review-1": moderated})
    synced(shop)
    synced(shop)
    assert not caplog.records

    shop.now["review-1"] = rejected
    for _ in range(3):
        synced(shop)

    [warning] = caplog.records
    assert (warning.levelname, warning.component) == ("WARNING", "wb")
    assert warning.getMessage().startswith(f"wb rejected the answer to {told}")
    row = synced.rows()["review-1"]
    assert (row.answered, row.answer_state, row.answer_reason) == (True, REJECTED, reason)


@on_sqlite
def test_a_pause_ends_the_sync_without_an_error_and_says_until_when(synced, caplog):
    with caplog.at_level(logging.WARNING):
        done = synced(FakeMarketplace(unanswered=[[a_review(1)], PAUSED]))

    [warning] = caplog.records
    assert done == counted(pages=2, new=1, paused_until="2025-10-02T13:00:00+00:00")
    assert (warning.levelname, warning.component) == ("WARNING", "wb")
    assert warning.getMessage() == "wb may be called again at 2025-10-02 13:00:00 UTC."
    assert list(synced.rows()) == ["review-1"]


@on_sqlite
def test_a_pause_while_looking_at_one_keeps_what_was_done(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1), a_review(2)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.now = {"review-2": PAUSED}
    done = synced(shop)

    assert done == counted(gone=1, paused_until=PAUSED.until.isoformat())


@on_sqlite
def test_an_error_goes_to_the_caller_who_knows_what_was_done(synced, caplog):
    progress = {"source": "WB"}

    with caplog.at_level(logging.WARNING), pytest.raises(Unreachable) as raised:
        synced(FakeMarketplace(unanswered=[[a_review(1)], UNREACHABLE]), progress)

    assert raised.value is UNREACHABLE
    failed = {"wb.reviews.unanswered": "The marketplace does not answer."}
    assert progress == {"source": "WB", "failed": failed} | counted(pages=2, new=1)
    assert caplog.records == []


@on_sqlite
def test_of_several_lists_of_what_waits_the_one_begun_first_says_since_when_somebody_is_missed(synced):
    """One list starts again; the other continues after the last review before the interruption."""
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    other = FakeSource([[a_review(2)], UNREACHABLE], "wb.reviews.seen", begins_anew=True)
    shop.unanswered.append(other)
    with pytest.raises(Unreachable):
        synced(shop)

    other.pages_of[1] = [a_review(3)]
    synced(shop)

    assert (shop.unanswered[0].positions, other.positions) == ([{}, {}], [{}, {"page": 1}])
    assert shop.read_alone == []


@on_sqlite
@pytest.mark.parametrize("error", [Rejected("no"), PAUSED, KeyError("id")], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("failing", [0, 1])
def test_a_list_that_fails_starves_no_other_one_and_lets_nobody_be_missed(synced, error, failing):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    shop.unanswered.append(FakeSource([[a_review(2)]], "wb.reviews.viewed", begins_anew=True))
    synced(shop)

    shop.unanswered[failing].pages_of = [error]
    shop.unanswered[1 - failing].pages_of = [[a_review(3)]]
    shop.history[0].pages_of.append([answered(4)])
    with suppress(Rejected, KeyError):
        synced(shop)

    assert {"review-3", "review-4"} <= synced.rows().keys()
    assert shop.read_alone == []
    assert not any(row.gone_at for row in synced.rows().values())


@on_sqlite
def test_without_the_history_the_ones_that_wait_no_longer_are_looked_at(synced):
    shop = FakeMarketplace(unanswered=[[a_review(1)]])
    synced(shop)

    shop.unanswered[0].pages_of = [[]]
    shop.history[0].pages_of.append(UNREACHABLE)
    with pytest.raises(Unreachable):
        synced(shop)

    assert shop.read_alone == ["review-1"]
