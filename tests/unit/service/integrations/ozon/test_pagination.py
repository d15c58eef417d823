from datetime import timedelta
from itertools import count, islice

import pytest

from service.integrations.http.errors import EndlessPages, Forbidden, NotFound, Rejected, Unauthorized, Unreadable
from service.integrations.newer_rows import MAX_NEWER_ROWS, NewerRows
from service.integrations.ozon.pagination import ApiPage, api_page, pages
from tests.support.ozon_stub import NOON


def part(rows, cursor, *, has_next=True):
    return ApiPage(rows, cursor, has_next, NOON)


NO_DATES = NewerRows(NOON, lambda _row: None)
REFUSED_IN_THE_MIDDLE = {"": part(["a"], "x"), "x": Rejected("no")}


class List:
    """Gives the part behind a cursor, or raises what stands there instead."""

    def __init__(self, parts):
        self.requests = []
        self._parts = parts

    def __call__(self, cursor):
        self.requests.append(cursor)
        found = self._parts[cursor]
        if isinstance(found, Exception):
            raise found
        return found


@pytest.mark.parametrize(
    "last",
    [
        part(["c"], "y", has_next=False),
        part([], "y"),
        part([], ""),
        part(["c"], "x", has_next=None),
        part(["c"], "", has_next=None),
    ],
    ids=["it says so", "an empty one", "an empty one without a cursor", "the same cursor", "no cursor"],
)
def test_a_list_ends_where_there_is_no_more(last):
    parts = List({"": part(["a", "b"], "x", has_next=None), "x": last})

    steps = list(pages(parts, "", NO_DATES))

    assert [(step.rows, step.cursor, step.endless) for step in steps] == [
        (["a", "b"], "x", False),
        (last.rows, None, False),
    ]
    assert parts.requests == ["", "x"]


@pytest.mark.parametrize("cursor", ["y", "x", ""])
def test_a_list_that_turns_in_a_circle_is_said_once_and_its_rows_are_kept(cursor):
    parts = List({"": part(["a"], "x"), "x": part(["b"], "y"), "y": part(["c"], cursor)})
    steps = []

    with pytest.raises(EndlessPages):
        steps.extend(pages(parts, "", NO_DATES))  # what came before the error stays in the list

    assert [(step.rows, step.cursor, step.endless) for step in steps][-1] == (["c"], None, True)
    assert parts.requests == ["", "x", "y"]


def test_a_list_goes_on_from_a_cursor():
    parts = List({"x": part(["c"], "y", has_next=False)})

    assert [step.rows for step in pages(parts, "x", NO_DATES)] == [["c"]]


@pytest.mark.parametrize("error", [Rejected("no such cursor"), NotFound("gone")])
def test_a_cursor_that_is_refused_by_now_is_given_up_for_the_beginning(error):
    parts = List({"x": error, "": part(["a"], "", has_next=False)})

    assert [step.rows for step in pages(parts, "x", NO_DATES)] == [["a"]]


@pytest.mark.parametrize("error", [Unauthorized("key"), Forbidden("role"), Unreadable("html")])
def test_what_is_not_the_cursors_fault_is_not_asked_again_from_the_beginning(error):
    parts = List({"x": error})

    with pytest.raises(type(error)):
        list(pages(parts, "x", NO_DATES))

    assert parts.requests == ["x"]


@pytest.mark.parametrize(("parts", "asked"), [({"": Rejected("no")}, [""]), (REFUSED_IN_THE_MIDDLE, ["", "x"])])
def test_what_is_refused_at_the_beginning_or_in_the_middle_is_not_asked_again(parts, asked):
    parts = List(parts)

    with pytest.raises(Rejected):
        list(pages(parts, "", NO_DATES))

    assert parts.requests == asked


def test_no_cursor_behind_a_part_that_was_gone_on_from_does_not_lead_to_the_beginning():
    parts = List({"x": part(["a"], "")})

    with pytest.raises(EndlessPages):
        list(pages(parts, "x", NO_DATES))

    assert parts.requests == ["x"]


@pytest.mark.parametrize("answer", [{}, {"rows": {"a": 1}}, {"rows": "text"}, {"result": []}, {"rows": [], "at": 5}])
def test_an_answer_of_another_shape_is_unreadable(answer):
    with pytest.raises(Unreadable, match="`rows`"):
        api_page(answer, "rows", "at", NOON)


@pytest.mark.parametrize("answer", [{"rows": None, "at": None}, {"rows": [], "at": "", "has_next": "no"}])
def test_a_list_that_is_null_is_empty(answer):
    assert api_page(answer, "rows", "at", NOON) == ApiPage([], "", None, NOON)


def test_a_list_to_which_rows_come_for_ever_ends_at_what_was_there_when_its_reading_began():
    moments = (NOON + timedelta(seconds=number) for number in range(-500, 10**9))
    numbers = count()

    found = list(
        pages(lambda _: part(list(islice(moments, 100)), str(next(numbers))), "", NewerRows(NOON, lambda row: row))
    )

    assert (
        sum(len(page.rows) for page in found) == 500 + MAX_NEWER_ROWS + 100
    )  # one page has the row of that moment itself
    assert [page.cursor is None for page in found] == [False] * (len(found) - 1) + [True]
    assert not any(page.endless for page in found)
