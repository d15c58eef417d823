from datetime import timedelta

import pytest

from service.integrations.http.errors import EndlessPages, Rejected, Unreadable
from service.integrations.marketplace import START, InvalidPayload, Order
from service.integrations.ozon.marketplace import OzonOrders
from tests.support.ozon_stub import NOON, posting, postings, read, read_until_it_fails

FBS, FBO = "/v4/posting/fbs/list", "/v3/posting/fbo/list"
DAY = timedelta(days=1)


def at(timestamp):
    return timestamp.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def ended(timestamp=NOON):
    return {"began": timestamp.isoformat()}


@pytest.fixture
def fbs(ozon_client, ozon_clock):
    return OzonOrders(ozon_client, ozon_clock.now).sources()[0]


@pytest.fixture
def fbo(ozon_client, ozon_clock):
    return OzonOrders(ozon_client, ozon_clock.now).sources()[1]


def test_the_two_schemes_are_two_sources(fbs, fbo):
    assert [fbs.name, fbo.name] == ["ozon.orders.fbs", "ozon.orders.fbo"]


@pytest.mark.parametrize(("number", "path", "scheme"), [(0, FBS, "fbs"), (1, FBO, "fbo")])
def test_the_first_reading_is_of_ninety_days_page_by_page(ozon, ozon_client, ozon_clock, number, path, scheme):
    source = OzonOrders(ozon_client, ozon_clock.now).sources()[number]
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"), postings(posting(2), cursor="b"))

    pages = list(source.pages(START))

    first = {"filter": {"since": at(NOON - 90 * DAY), "to": at(NOON + DAY)}, "limit": 100, "sort_dir": "ASC"}
    assert [[(row.external_id[-1], row.scheme) for row in page.rows] for page in pages] == [
        [("1", scheme)],
        [("2", scheme)],
    ]
    assert ozon.requests == [(path, first), (path, first | {"cursor": "a"})]
    assert pages[-1].position == ended()


def test_a_later_reading_of_fbs_is_of_three_days_and_of_what_has_changed_since(ozon, fbs):
    last = NOON - timedelta(hours=5)
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"), postings(posting(2)))
    ozon.enqueue(postings(posting(3), has_next=True, cursor="c"), postings(posting(4)))

    pages = read(fbs, ended(last))

    recent = {"since": at(last - 3 * DAY), "to": at(NOON + DAY)}
    changes = {"from": at(last - timedelta(hours=2)), "to": at(NOON + DAY)}
    changed = {"since": at(NOON - 364 * DAY), "to": at(NOON + DAY), "last_changed_status_date": changes}
    assert [numbers for numbers, _ in pages] == [["1"], ["2"], ["3"], ["4"]]
    assert [body["filter"] for body in ozon.bodies] == [recent, recent, changed, changed]
    assert [body.get("cursor") for body in ozon.bodies] == [None, "a", None, "c"]
    assert pages[-1][1] == ended()


def test_a_later_reading_of_fbo_is_of_thirty_days(ozon, fbo):
    ozon.enqueue(postings(posting(1)))

    assert read(fbo, ended(NOON - timedelta(hours=5))) == [(["1"], ended())]
    assert ozon.bodies[0]["filter"] == {"since": at(NOON - timedelta(days=30, hours=5)), "to": at(NOON + DAY)}


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_reading_that_was_interrupted_goes_on_with_the_same_periods(ozon, ozon_clock, fbs, done):
    script = [
        postings(posting(1), has_next=True, cursor="a"),
        postings(posting(2)),
        postings(posting(3), has_next=True, cursor="c"),
        postings(posting(4)),
    ]
    ozon.enqueue(*script, *script[done:])
    whole = read(fbs, ended(NOON - timedelta(hours=5)))
    ozon_clock.moment += 2 * DAY

    rest = read(fbs, whole[done - 1][1])

    assert rest == whole[done:]
    assert ozon.requests[4:] == ozon.requests[done:4]
    assert rest[-1][1] == ended()


def test_a_first_reading_that_was_interrupted_goes_on_and_remembers_when_it_began(ozon, ozon_clock, fbo):
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"))
    ozon.enqueue("no", status=409)
    ozon.enqueue(postings(posting(2)))
    (behind,) = read_until_it_fails(fbo, Rejected)
    ozon_clock.moment += DAY

    assert read(fbo, behind) == [(["2"], ended())]
    assert ozon.bodies[-1]["cursor"] == "a"
    assert ozon.bodies[-1]["filter"]["since"] == at(NOON - 90 * DAY)


def test_a_cursor_that_is_not_known_any_more_is_given_up_for_the_beginning_of_the_same_period(ozon, fbo):
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"))
    ozon.enqueue("no", status=409)
    ozon.refuse(400, 3, "Request validation error: invalid Cursor")
    ozon.enqueue(postings(posting(1), posting(2)))
    (behind,) = read_until_it_fails(fbo, Rejected)

    assert read(fbo, behind) == [(["1", "2"], ended())]
    assert "cursor" not in ozon.bodies[-1]
    assert ozon.bodies[-1]["filter"] == ozon.bodies[0]["filter"]


@pytest.mark.parametrize(
    "end", [{"has_next": False, "cursor": "a"}, {"has_next": True, "cursor": ""}, {"cursor": "a", "has_next": None}]
)
def test_a_list_ends_where_there_is_no_more(ozon, fbo, end):
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"), postings(posting(2), **end))

    assert [numbers for numbers, _ in read(fbo)] == [["1"], ["2"]]


def test_an_empty_page_ends_a_list(ozon, fbo):
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"), postings(has_next=True, cursor="b"))

    assert read(fbo)[-1] == ([], ended())


@pytest.mark.parametrize("last", [START, ended(NOON - DAY)])
def test_a_list_without_an_end_is_said_once_and_the_reading_begins_anew(ozon, fbs, last):
    ozon.enqueue(*[postings(posting(1), has_next=True, cursor="a")] * 2)

    assert read_until_it_fails(fbs, EndlessPages, last)[-1] == last
    assert len(ozon.requests) == 2


def test_a_clock_that_was_fast_does_not_ask_for_a_period_that_ends_before_it_begins(ozon, fbo):
    ozon.enqueue(postings())

    read(fbo, ended(NOON + 400 * DAY))

    assert ozon.bodies[0]["filter"]["since"] == at(NOON - 30 * DAY)


def test_after_more_than_a_year_no_longer_period_is_asked_for_than_ozon_allows(ozon, fbs):
    ozon.enqueue(postings(), postings())

    read(fbs, ended(NOON - 500 * DAY))

    assert [body["filter"]["since"] for body in ozon.bodies] == [at(NOON - 364 * DAY)] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "sideways"},
        {"phase": 5},
        {"phase": "all"},
        {"cursor": 5},
        {"since": None},
        {"to": "soon"},
        {"reading": 5},
    ],
)
def test_a_reading_that_cannot_be_read_begins_anew(ozon, fbo, changes):
    timestamps = {name: (NOON - DAY).isoformat() for name in ("began", "since", "to", "reading")}
    ozon.enqueue(postings())

    assert read(fbo, {**timestamps, "phase": "recent", "cursor": "a", **changes}) == [([], ended())]
    assert "cursor" not in ozon.bodies[0]
    assert ozon.bodies[0]["filter"] == {"since": at(NOON - 31 * DAY), "to": at(NOON + DAY)}


def test_a_moment_that_cannot_be_read_is_none(ozon, fbo):
    ozon.enqueue(postings())

    read(fbo, {"began": "yesterday"})

    assert ozon.bodies[0]["filter"]["since"] == at(NOON - 90 * DAY)


def test_a_reading_whose_last_one_is_unknown_begins_anew(ozon, fbs):
    ozon.enqueue(postings())
    timestamps = {"since": NOON.isoformat(), "to": NOON.isoformat(), "reading": NOON.isoformat()}

    read(fbs, {**timestamps, "phase": "changed", "cursor": "c"})

    assert ozon.bodies[0]["filter"] == {"since": at(NOON - 90 * DAY), "to": at(NOON + DAY)}


def test_a_row_that_cannot_be_read_does_not_stop_the_rest(ozon, fbo):
    ozon.enqueue(postings(posting(1), posting(2, products=None), posting(3, status=None), "no object"))

    (page,) = fbo.pages(START)

    assert [type(row) for row in page.rows] == [Order, Order, InvalidPayload, InvalidPayload]


def test_a_page_is_as_of_the_moment_before_it_was_asked_for(ozon, fbo):
    ozon.refuse(429, 8, "too many", retry_after="30")
    ozon.enqueue(postings(posting(1), has_next=True, cursor="a"), postings(posting(2)))

    rows = [row for page in fbo.pages(START) for row in page.rows]

    assert [row.as_of - NOON for row in rows] == [timedelta(0), timedelta(seconds=30)]


def test_an_answer_of_the_old_version_is_unreadable(ozon, fbo):
    ozon.enqueue({"result": []})

    read_until_it_fails(fbo, Unreadable)


def test_by_itself_it_reads_the_clock_of_the_machine(ozon, ozon_client):
    ozon.enqueue(postings(posting(1)))

    (page,) = OzonOrders(ozon_client).sources()[1].pages(START)

    assert page.rows[0].as_of.tzinfo is not None


@pytest.mark.parametrize("began", [START, ended(NOON - DAY)], ids=["the first reading", "a later one"])
def test_orders_that_come_meanwhile_are_for_the_next_reading(ozon, fbs, monkeypatch, began):
    monkeypatch.setattr("service.integrations.newer_rows.MAX_NEWER_ROWS", 2)
    new = [posting(number, in_process_at=at(NOON + timedelta(minutes=number))) for number in range(9)]
    phases = 1 if began == START else 2
    for _ in range(phases):
        ozon.enqueue(*(postings(row, has_next=True, cursor=str(number)) for number, row in enumerate(new[:3])))

    pages = read(fbs, began)

    assert [numbers for numbers, _ in pages] == [["0"], ["1"], ["2"]] * phases
    assert pages[-1][1] == ended()
