import re
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, text, update

from service.advice.queue import AdviceQueue
from service.database.keyset import UnknownCursor
from service.database.tables import AdviceRow, ReviewRow
from service.database.upsert import Saved
from service.integrations.marketplace import IN_MODERATION, UNKNOWN_RATING
from service.reviews.repository import ReviewFilter, ReviewNotFound, ReviewRepository
from telemetry.database import create_engine, transaction
from tests.support.fakes import (
    MINUTE,
    NOON,
    a_review,
    answered,
    on_sqlite,
    plans_of,
    rows_of,
    rows_read,
    without_statistics,
)

LATER = NOON + 60 * MINUTE
MUCH_LATER = NOON + timedelta(days=1)


class Kept:
    """A repository with a transaction for each call."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        def call(*args, **kwargs):
            with transaction(self._engine) as session:
                return getattr(ReviewRepository(session), name)(*args, **kwargs)

        return call

    def one(self):
        [row] = rows_of(self._engine, ReviewRow)
        return row

    def set(self, **columns):
        """As another process does that has loaded the row."""
        with transaction(self._engine) as session:
            session.execute(update(ReviewRow).values(**columns))


@pytest.fixture
def kept(engine):
    return Kept(engine)


def ids(rows):
    return [row.external_id for row in rows]


def test_a_review_is_kept_as_it_was_read(kept):
    review = answered(1, text="Too small", pros="Soft", cons="Size", rating=3, answer_state="moderation")

    assert kept.save([review], LATER) == Saved(new=1)

    row = kept.one()
    told = [name for name in review.__slots__ if name not in {"odd", "answer_editable", "processed"}]
    assert {name: getattr(row, name) for name in told} == {name: getattr(review, name) for name in told}
    assert (row.first_seen_at, row.seen_at, row.gone_at, row.answer_claimed_at) == (LATER, LATER, None, None)


def test_a_state_whose_product_cannot_be_read_leaves_the_product_that_is_known(kept):
    kept.save([a_review(1)], NOON)

    kept.save([answered(1, product_id="", product_name=None, as_of=LATER)], LATER)

    row = kept.one()
    assert (row.answered, row.product_id, row.product_name) == (True, "245901773", "Pyjamas")


def test_the_same_again_is_unchanged(kept):
    kept.save([a_review(1), a_review(2)], NOON)

    assert kept.save([a_review(1), a_review(2)], LATER) == Saved(unchanged=2)
    assert kept.save([a_review(1), a_review(2, as_of=LATER)], LATER) == Saved(unchanged=2)


def test_what_differs_in_anything_is_a_change_and_is_kept(engine, kept):
    changes = [
        {"text": "Fits."},
        {"pros": "Soft"},
        {"cons": "Thin"},
        {"rating": 4},
        {"created_at": NOON},
        {"product_id": "2"},
        {"answered": True, "answer_text": "Thank you!"},
        {"answer_state": "rejected"},
    ]
    kept.save([a_review(number) for number, _ in enumerate(changes)], NOON)

    saved = kept.save([a_review(number, as_of=LATER, **change) for number, change in enumerate(changes)], LATER)

    assert saved == Saved(changed=len(changes))
    rows = rows_of(engine, ReviewRow)
    assert [{name: getattr(row, name) for name in change} for row, change in zip(rows, changes, strict=True)] == changes
    assert {(row.as_of, row.first_seen_at, row.seen_at) for row in rows} == {(LATER, NOON, NOON)}


def test_an_earlier_reading_that_comes_later_changes_nothing(kept):
    kept.save([a_review(1, text="new", as_of=LATER)], LATER)

    assert kept.save([a_review(1, text="old", as_of=NOON)], MUCH_LATER) == Saved(unchanged=1)
    assert kept.one().text == "new"


@on_sqlite
def test_an_earlier_reading_does_not_count_though_the_later_one_found_nothing_new(kept):
    kept.save([a_review(1, text="first")], NOON)
    kept.save([a_review(1, text="first", as_of=MUCH_LATER)], MUCH_LATER)

    assert kept.save([a_review(1, text="in between", as_of=LATER)], MUCH_LATER) == Saved(unchanged=1)
    assert kept.one().text == "first"


@on_sqlite
def test_the_same_moment_in_another_zone_is_no_change(kept):
    kept.save([a_review(1)], NOON)
    moment = a_review(1).created_at.astimezone(tz=None)

    assert kept.save([a_review(1, created_at=moment, as_of=LATER)], LATER) == Saved(unchanged=1)


def test_of_one_review_twice_in_a_batch_the_later_reading_counts(kept):
    older, newer = a_review(1, text="old"), a_review(1, text="new", as_of=LATER)

    assert kept.save([newer, older, a_review(2)], LATER) == Saved(new=2, unchanged=1)

    assert {row.external_id: row.text for row in kept.page(ReviewFilter())} == {
        "review-1": "new",
        "review-2": "Fits well.",
    }


@on_sqlite
def test_of_two_equally_late_readings_in_a_batch_the_last_counts(kept):
    kept.save([a_review(1, text="first"), a_review(1, text="second")], NOON)

    assert kept.one().text == "second"


def test_marketplaces_may_have_the_same_ids(kept):
    kept.save([a_review(1)], NOON)

    assert kept.save([a_review(1, marketplace="ozon"), a_review(1)], LATER) == Saved(new=1, unchanged=1)


@on_sqlite
def test_nothing_is_saved_of_nothing(kept):
    assert kept.save([], NOON) == Saved()


def test_a_name_that_is_not_told_is_not_forgotten_and_is_no_change(kept):
    kept.save([a_review(1)], NOON)

    assert kept.save([a_review(1, product_name=None, as_of=LATER)], LATER) == Saved(unchanged=1)
    assert kept.one().product_name == "Pyjamas"


@on_sqlite
def test_a_name_that_is_told_at_last_is_kept(kept):
    kept.save([a_review(1, product_name=None)], NOON)

    kept.save([a_review(1, as_of=LATER)], LATER)

    assert kept.one().product_name == "Pyjamas"


def test_an_answer_that_is_known_is_not_forgotten_by_a_marketplace_that_does_not_say_it(kept):
    kept.save([answered(1)], NOON)
    kept.save([answered(1, answer_text=None, as_of=LATER)], LATER)
    assert kept.one().answer_text == "Thank you!"

    kept.save([a_review(1, as_of=MUCH_LATER)], MUCH_LATER)
    assert kept.one().answer_text is None


@on_sqlite
@pytest.mark.parametrize(
    ("known", "listed", "state"),
    [
        ({"answer_state": "published"}, "moderation", "published"),
        ({"answer_state": "moderation"}, "published", "moderation"),
        ({"answer_state": "rejected", "answer_reason": "a link"}, "none", "rejected"),
        ({"answer_text": None, "answer_state": "moderation"}, "none", "none"),
        ({"answer_text": None, "answer_state": "none"}, "moderation", "moderation"),
    ],
)
def test_a_list_that_says_nothing_of_the_answer_leaves_what_is_known_of_it(kept, known, listed, state):
    kept.save([answered(1, **known)], NOON)

    kept.save([answered(1, answer_text=None, answer_state=listed, as_of=LATER)], LATER)

    assert (kept.one().answer_state, kept.one().answer_reason) == (state, known.get("answer_reason"))


@on_sqlite
def test_a_processed_review_whose_answer_is_on_its_way_is_in_moderation(kept):
    kept.save([a_review(1)], NOON)
    kept.set(answer_claimed_at=NOON)

    kept.save([a_review(1, answered=True, as_of=LATER)], LATER)

    assert (kept.one().answer_state, kept.one().answer_claimed_at) == ("moderation", None)


def test_advice_is_due_for_a_new_review_that_waits_and_for_no_other(kept):
    kept.save([a_review(1), answered(2)], LATER)

    assert {row.external_id: row.advice_due_at for row in kept.page(ReviewFilter())} == {
        "review-1": LATER,
        "review-2": None,
    }


def test_advice_that_was_given_is_not_due_again_when_the_review_changes(kept):
    kept.save([a_review(1)], NOON)
    kept.set(advice_due_at=None, advice_attempts=2)

    kept.save([a_review(1, text="and soft", as_of=LATER)], LATER)

    assert (kept.one().advice_due_at, kept.one().advice_attempts) == (None, 2)


def test_an_answered_review_needs_no_advice_and_nobody_is_at_its_answer(kept):
    kept.save([a_review(1)], NOON)
    kept.set(answer_claimed_at=NOON)

    kept.save([answered(1, as_of=LATER)], LATER)

    assert (kept.one().advice_due_at, kept.one().answer_claimed_at) == (None, None)


def test_an_answer_that_is_being_published_stays_so_while_the_review_waits(kept):
    kept.save([a_review(1)], NOON)
    kept.set(answer_claimed_at=NOON, advice_due_at=MUCH_LATER)

    kept.save([a_review(1, text="and soft", as_of=LATER)], LATER)

    assert (kept.one().answer_claimed_at, kept.one().advice_due_at) == (NOON, MUCH_LATER)


def test_a_review_that_is_gone_needs_no_advice_and_is_gone_once(kept):
    kept.save([a_review(1)], NOON)

    assert kept.mark_gone("wb", "review-1", LATER)
    assert not kept.mark_gone("wb", "review-1", MUCH_LATER)

    assert (kept.one().gone_at, kept.one().seen_at, kept.one().advice_due_at) == (LATER, LATER, None)


@on_sqlite
def test_only_that_review_of_that_marketplace_is_gone(kept):
    kept.save([a_review(1), a_review(2), a_review(1, marketplace="ozon")], NOON)

    kept.mark_gone("wb", "review-1", LATER)

    assert [(row.marketplace, row.external_id) for row in kept.page(ReviewFilter()) if row.gone_at] == [
        ("wb", "review-1")
    ]


def test_a_review_that_was_read_later_is_not_gone(kept):
    kept.save([a_review(1, as_of=LATER)], LATER)

    assert not kept.mark_gone("wb", "review-1", NOON)
    assert kept.one().gone_at is None


def test_a_gone_review_that_comes_back_is_a_change_and_its_advice_is_due_anew(kept):
    kept.save([a_review(1)], NOON)
    kept.mark_gone("wb", "review-1", LATER)
    kept.set(advice_attempts=5)

    assert kept.save([a_review(1, as_of=MUCH_LATER)], MUCH_LATER) == Saved(changed=1)

    row = kept.one()
    assert (row.gone_at, row.advice_due_at, row.advice_attempts) == (None, MUCH_LATER, 0)


@on_sqlite
def test_a_gone_review_that_comes_back_answered_needs_no_advice(kept):
    kept.save([a_review(1)], NOON)
    kept.mark_gone("wb", "review-1", LATER)

    kept.save([answered(1, as_of=MUCH_LATER)], MUCH_LATER)

    assert (kept.one().gone_at, kept.one().advice_due_at) == (None, None)


def test_a_gone_review_that_comes_back_gets_no_second_draft(engine, kept):
    kept.save([a_review(1), a_review(2)], NOON)
    with transaction(engine) as session:
        session.add(AdviceRow(review_id=1, created_at=NOON, outcome="drafted", model="m"))
        session.add(AdviceRow(review_id=2, created_at=NOON, outcome="failed", model="m"))
    for number in (1, 2):
        kept.mark_gone("wb", f"review-{number}", LATER)

    kept.save([a_review(1, as_of=MUCH_LATER), a_review(2, as_of=MUCH_LATER)], MUCH_LATER)

    assert [(row.gone_at, row.advice_due_at) for row in rows_of(engine, ReviewRow)] == [
        (None, None),
        (None, MUCH_LATER),
    ]


def test_a_review_that_is_processed_without_an_answer_needs_no_advice_and_stays_so(kept):
    processed = [a_review(1, processed=True, as_of=moment) for moment in (NOON, LATER)]

    assert [kept.save([row], row.as_of) for row in processed] == [Saved(new=1), Saved(unchanged=1)]
    assert (kept.one().gone_at, kept.one().advice_due_at, kept.one().as_of) == (NOON, None, LATER)

    assert kept.save([a_review(1, as_of=MUCH_LATER)], MUCH_LATER) == Saved(changed=1)
    assert (kept.one().gone_at, kept.one().advice_due_at) == (None, MUCH_LATER)


def test_a_waiting_review_that_is_processed_without_an_answer_is_a_change(kept):
    kept.save([a_review(1)], NOON)

    assert kept.save([a_review(1, processed=True, as_of=LATER)], LATER) == Saved(changed=1)
    assert (kept.one().gone_at, kept.one().advice_due_at, kept.one().advice_attempts) == (LATER, None, 0)
    assert kept.stale_unanswered("wb", MUCH_LATER, 10) == []


def test_rejected_answers_are_told_until_they_are_rejected_no_more(kept):
    rejected = answered(1, answer_state="rejected")
    kept.save([rejected, answered(2), answered(3, answer_state="rejected", marketplace="ozon")], NOON)

    assert kept.untold_rejections("wb", 10) == [(1, None)]
    kept.mark_rejections_told([1], NOON)
    kept.save([replace(rejected, as_of=LATER)], LATER)
    assert kept.untold_rejections("wb", 10) == []

    kept.save([answered(1, answer_state="moderation", as_of=LATER)], LATER)
    kept.save([replace(rejected, as_of=MUCH_LATER)], MUCH_LATER)
    assert kept.untold_rejections("wb", 10) == [(1, None)]


@on_sqlite
def test_a_reading_from_before_a_review_was_gone_does_not_bring_it_back(kept):
    kept.save([a_review(1)], NOON)
    kept.mark_gone("wb", "review-1", MUCH_LATER)

    assert kept.save([a_review(1, text="old", as_of=LATER)], MUCH_LATER) == Saved(unchanged=1)
    assert kept.one().gone_at == MUCH_LATER


def test_missed_are_those_that_wait_and_were_not_seen_since_the_oldest_first(kept):
    kept.save([a_review(1)], NOON + MINUTE)
    kept.save([a_review(2), answered(3), a_review(4, marketplace="ozon"), a_review(5)], NOON)
    kept.save([a_review(6)], LATER)
    kept.mark_gone("wb", "review-5", NOON)

    assert kept.stale_unanswered("wb", LATER, 10) == ["review-2", "review-1"]
    assert kept.stale_unanswered("wb", LATER, 1) == ["review-2"]


def test_who_was_seen_is_not_missed(kept):
    kept.save([a_review(1), a_review(2), a_review(1, marketplace="ozon")], NOON)

    kept.mark_seen("wb", ["review-1", "nobody"], LATER)
    kept.mark_seen("wb", [], MUCH_LATER)

    assert kept.stale_unanswered("wb", LATER, 10) == ["review-2"]
    assert kept.stale_unanswered("ozon", LATER, 10) == ["review-1"]


def test_moderated_are_those_whose_answer_the_marketplace_looks_at(kept):
    moderated = [answered(number, answer_state=IN_MODERATION) for number in (1, 2, 3)]
    kept.save([*moderated, answered(4), answered(5, marketplace="ozon", answer_state=IN_MODERATION)], NOON)
    kept.mark_seen("wb", ["review-1"], LATER)
    kept.mark_gone("wb", "review-3", NOON)

    assert kept.in_moderation("wb", LATER, 10) == ["review-2"]
    assert kept.in_moderation("wb", MUCH_LATER, 1) == ["review-2"]


@on_sqlite
def test_a_review_is_found_by_its_number(kept):
    kept.save([a_review(1)], NOON)

    assert kept.get(kept.one().id).external_id == "review-1"
    with pytest.raises(ReviewNotFound, match="There is no review 4711"):
        kept.get(4711)


def test_advice_is_the_newest_draft_and_while_there_is_none_the_newest_failure(engine, kept):
    kept.save([a_review(1), a_review(2)], NOON)
    one, other = (row.id for row in rows_of(engine, ReviewRow))
    assert kept.advice(one) is None

    given = []
    for review_id, outcome in [(one, "refused"), (one, "failed"), (one, "drafted"), (one, "drafted"), (one, "failed")]:
        with transaction(engine) as session:
            session.add(AdviceRow(review_id=review_id, created_at=NOON, outcome=outcome, model="m"))
        given.append(kept.advice(one).id)

    assert given == [1, 2, 3, 4, 4]
    assert kept.advice(other) is None


def test_pages_go_from_the_newest_to_the_oldest(kept):
    same = a_review(0).created_at
    kept.save([a_review(number, created_at=same) for number in (1, 2, 3)] + [a_review(4), a_review(5)], NOON)

    pages, before = [], None
    while rows := kept.page(ReviewFilter(), before=before, limit=2):
        pages.append(ids(rows))
        before = rows[-1].id

    assert pages == [["review-5", "review-4"], ["review-3", "review-2"], ["review-1"]]


@on_sqlite
def test_a_page_behind_a_review_that_is_not_there_is_none(kept):
    kept.save([a_review(1)], NOON)

    with pytest.raises(UnknownCursor, match=r"before must be the id of a stored row, .*; got 99\.$"):
        kept.page(ReviewFilter(), before=99)


def test_a_page_has_what_is_wanted(kept):
    kept.save([a_review(1), a_review(2, rating=1), a_review(3, marketplace="ozon"), answered(4, rating=1)], NOON)
    wanted = {
        ReviewFilter(): [4, 3, 2, 1],
        ReviewFilter(marketplace="ozon"): [3],
        ReviewFilter(rating=1): [4, 2],
        ReviewFilter(rating=2): [],
        ReviewFilter(answered=True): [4],
        ReviewFilter(answered=False, marketplace="wb"): [2, 1],
        ReviewFilter(since=a_review(2).created_at): [4, 3, 2],
        ReviewFilter(since=a_review(2).created_at, rating=1, answered=False): [2],
    }

    found = {each: [int(name.removeprefix("review-")) for name in ids(kept.page(each))] for each in wanted}

    assert found == wanted


def test_what_is_added_between_pages_moves_nothing(kept):
    kept.save([a_review(number) for number in range(1, 6)], NOON)
    first = kept.page(ReviewFilter(), limit=2)

    same_moment_as_the_last, older = first[-1].created_at, a_review(2).created_at - MINUTE / 2
    kept.save([a_review(9), a_review(8, created_at=same_moment_as_the_last), a_review(7, created_at=older)], LATER)
    pages, before = [ids(first)], first[-1].id
    while rows := kept.page(ReviewFilter(), before=before, limit=2):
        pages.append(ids(rows))
        before = rows[-1].id

    assert pages == [["review-5", "review-4"], ["review-3", "review-2"], ["review-7", "review-1"]]


def test_two_that_save_the_same_reviews_at_once_count_each_of_them_once(engine):
    """Each thread has its own engine, like a process, and one writes the rows in reverse order."""
    batches = [[a_review(number) for number in range(start, start + 100)] for start in range(0, 500, 100)]
    together, saved, failed = threading.Barrier(2), [], []

    def save(order):
        own = create_engine(engine.url)
        try:
            for batch in batches:
                together.wait(30)
                saved.append(Kept(own).save(batch[::order], NOON))
        except Exception as error:
            failed.append(error)
        own.dispose()

    savers = [threading.Thread(target=save, args=(order,)) for order in (1, -1)]
    for saver in savers:
        saver.start()
    for saver in savers:
        saver.join(60)

    assert failed == []
    assert sum(each.new for each in saved) == len(rows_of(engine, ReviewRow)) == 500
    assert sum(each.unchanged for each in saved) == 500


def test_a_batch_is_looked_up_and_written_in_one_statement_each(engine, kept):
    said = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement.split()[0]))

    kept.save([a_review(number) for number in range(500)], NOON)

    assert said[1:] == ["SELECT", "INSERT"]
    assert len(said) == 3  # the first one waits for its turn


def test_what_is_asked_often_is_answered_by_one_index(engine, kept):
    """Most reviews are answered, few are of one marketplace, and those that are selected are not the newest."""
    waiting = [a_review(number) for number in range(5)]
    moderated = [answered(number, answer_state=IN_MODERATION) for number in range(5, 10)]
    others = [answered(number, marketplace="wb" if number % 100 else "ozon") for number in range(10, 2000)]
    kept.save([*waiting, *moderated, *others], NOON)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    unique = "uq_reviews_external_id_marketplace" if engine.name == "postgresql" else "sqlite_autoindex_reviews_1"

    asked = [
        ("ix_reviews_waiting", lambda: kept.stale_unanswered("wb", LATER, 10)),
        ("ix_reviews_in_moderation", lambda: kept.in_moderation("wb", LATER, 10)),
        ("ix_reviews_due", lambda: lease(engine)),
        ("ix_reviews_answer_rejected", lambda: kept.page(ReviewFilter(answer_state="rejected"), limit=10)),
        ("ix_reviews_created_at_id", lambda: kept.page(ReviewFilter(), limit=10)),
        ("ix_reviews_created_at_id", lambda: kept.page(ReviewFilter(), before=1000)),
        ("ix_reviews_marketplace_created_at_id", lambda: kept.page(ReviewFilter(marketplace="ozon"), before=1000)),
        (unique, lambda: kept.mark_seen("wb", ["review-1"], NOON)),
        (unique, lambda: kept.mark_gone("wb", "review-1", NOON)),
        (unique, lambda: kept.save([a_review(1)], NOON)),
    ]
    plans = [(index, plans_of(engine, ask)[-1]) for index, ask in asked]

    assert [plan for index, plan in plans if not re.search(rf"\b{index}\b", plan)] == []
    assert [plan for _, plan in plans if re.search("Sort|TEMP B-TREE|Seq Scan", plan)] == []


def lease(engine):
    with transaction(engine) as session:
        return AdviceQueue(session).lease(LATER)


def test_a_batch_costs_no_more_when_there_are_many_reviews(postgres_engine):
    """PostgreSQL has no statistics of a new table, and keeps plans from when it was nearly empty."""
    without_statistics(postgres_engine, "reviews")
    few, many = [[number] for number in range(15)], [range(start, start + 100) for start in range(100, 3000, 100)]
    kept = Kept(postgres_engine)

    for numbers in few + many:
        kept.save([a_review(number) for number in numbers], NOON)
        kept.mark_seen("wb", [f"review-{number}" for number in numbers], LATER)

    assert rows_read(postgres_engine, "reviews") == 15 + 2900  # each, when it was seen


def test_what_is_not_known_of_a_review_does_not_take_the_place_of_what_was(kept):
    known, unknown = a_review(1, rating=4), a_review(1, rating=UNKNOWN_RATING, created_at=None, as_of=LATER)
    kept.save([known], NOON)

    assert kept.save([unknown], LATER) == Saved(changed=1)

    assert (kept.one().rating, kept.one().created_at) == (4, known.created_at)


def test_a_review_of_an_unknown_date_is_of_the_time_when_it_was_first_read_until_its_date_is_known(kept):
    for when in (LATER, MUCH_LATER):
        saved = kept.save([a_review(1, created_at=None, as_of=when)], when)
        assert kept.one().created_at == LATER

    assert saved == Saved(unchanged=1)
    kept.save([a_review(1, as_of=MUCH_LATER)], MUCH_LATER)
    assert kept.one().created_at == a_review(1).created_at
