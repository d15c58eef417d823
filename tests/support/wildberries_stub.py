"""The lists of Wildberries: served as its APIs do, and read as the sync does."""

import json
from datetime import UTC, datetime, timedelta

from service.integrations.marketplace import START
from service.integrations.wildberries.moscow_time import MOSCOW
from tests.support.loopback import response
from tests.support.wildberries_payloads import order, review, reviews_page

BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 9, tzinfo=MOSCOW)


class Feedbacks:
    """The lists of reviews, as the API serves them: those that are processed, those that wait, and the archive.

    `processed` and `archived` are the ids of rows that are so without an answer.
    """

    def __init__(self, *rows, processed=(), archived=()):
        self.rows = list(rows)
        self.processed, self.archived = set(processed), set(archived)
        self.exclusive = False
        self.after_each = lambda: None

    def __call__(self, request):
        if request.path.endswith("/feedback"):
            return self._one(request.query["id"])
        rows = self._archive(request) if request.path.endswith("/archive") else self._list(request)
        skip, take = int(request.query["skip"]), int(request.query["take"])
        answer = response(reviews_page(*rows[skip : skip + take]))
        self.after_each()
        return answer

    def _one(self, review_id):
        found = [row for row in self.rows if row["id"] == review_id]
        return response({"data": found[0], "error": False} if found else {"data": None}, 200 if found else 422)

    def _archive(self, request):
        rows = [row for row in self.rows if self._is_processed(row) or row["id"] in self.archived]
        return sorted(rows, key=created_second, reverse=request.query["order"] == "dateDesc")

    def _is_processed(self, row):
        return row["answer"] is not None or row["id"] in self.processed

    def _list(self, request):
        answered = request.query["isAnswered"] == "true"
        first = int(request.query.get("dateFrom", 0)) + self.exclusive
        rows = [row for row in self.rows if answered or row["id"] not in self.archived]
        rows = [row for row in rows if self._is_processed(row) is answered and created_second(row) >= first]
        return sorted(rows, key=created_second)


def created_second(row):
    return int(datetime.fromisoformat(row["createdDate"]).timestamp())


def numbered(number, minutes=None, **changes):
    created = BEGINNING + timedelta(minutes=number if minutes is None else minutes)
    return review(number, createdDate=f"{created:%Y-%m-%dT%H:%M:%SZ}", **changes)


def answered(number, minutes=None, **changes):
    return numbered(number, minutes, answer={"text": "Спасибо", "state": "wbRu", "editable": True}, **changes)


class Statistics:
    """Orders as the API serves them: from a change on (inclusive), cut at a number of rows."""

    def __init__(self, *rows, cut=80_000):
        self.rows = rows
        self.cut = cut
        self.fractions = True

    def __call__(self, request):
        since = parse_timestamp(request.query["dateFrom"])
        if not self.fractions:
            since = since.replace(microsecond=0)
        rows = [row for row in self.rows if parse_timestamp(row["lastChangeDate"]) >= since]
        return response(sorted(rows, key=lambda row: parse_timestamp(row["lastChangeDate"]))[: self.cut])


def parse_timestamp(text):
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=MOSCOW)


def order_at(minutes, number=None, **changes):
    """An order that was changed some minutes after MORNING."""
    changed = MORNING + timedelta(minutes=minutes)
    return order(minutes if number is None else number, f"{changed:%Y-%m-%dT%H:%M:%S}", **changes)


def read(source, position=START):
    """The rows of all pages, and the last position."""
    rows = []
    for page in source.pages(position):
        rows += page.rows
        position = page.position
    return rows, json.loads(json.dumps(position))


def ids(rows):
    return [row.external_id for row in rows]


def id_set(rows):
    """The set of the ids."""
    return set(ids(rows))


def srids_of(rows):
    return {row["srid"] for row in rows}


def requested_dates(world):
    """The `dateFrom` of each request."""
    return [query["dateFrom"] for query in world.queries]
