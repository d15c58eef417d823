"""The lists of Wildberries, read out as it does it, and read through as a job does it."""

import json
from datetime import UTC, datetime, timedelta

from service.integrations.marketplace import START
from service.integrations.wildberries.moscow_time import MOSCOW
from tests.support.loopback import said
from tests.support.wildberries_payloads import order, review, reviews_page

BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 9, tzinfo=MOSCOW)


class Feedbacks:
    """Two lists of reviews, as Wildberries reads them out."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.exclusive = False
        self.after_each = lambda: None

    def __call__(self, asked):
        answered = asked.query["isAnswered"] == "true"
        since, skip, take = (int(asked.query.get(name, 0)) for name in ("dateFrom", "skip", "take"))
        first = since + self.exclusive
        rows = [row for row in self.rows if (row["answer"] is not None) is answered and second(row) >= first]
        found = sorted(rows, key=second)[skip : skip + take]
        answer = said(reviews_page(*found))
        self.after_each()
        return answer


def second(row):
    return int(datetime.fromisoformat(row["createdDate"]).timestamp())


def numbered(number, minutes=None, **changes):
    created = BEGINNING + timedelta(minutes=number if minutes is None else minutes)
    return review(number, createdDate=f"{created:%Y-%m-%dT%H:%M:%SZ}", **changes)


def answered(number, minutes=None, **changes):
    return numbered(number, minutes, answer={"text": "Спасибо", "state": "wbRu", "editable": True}, **changes)


class Statistics:
    """Orders as Wildberries reads them out: those from a change on, that one included, until a page is full."""

    def __init__(self, *rows, cut=80_000):
        self.rows = rows
        self.cut = cut
        self.fractions = True

    def __call__(self, asked):
        since = moment(asked.query["dateFrom"])
        if not self.fractions:
            since = since.replace(microsecond=0)
        rows = [row for row in self.rows if moment(row["lastChangeDate"]) >= since]
        return said(sorted(rows, key=lambda row: moment(row["lastChangeDate"]))[: self.cut])


def moment(text):
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=MOSCOW)


def at(minutes, number=None, **changes):
    """An order that was changed so many minutes after the morning."""
    changed = MORNING + timedelta(minutes=minutes)
    return order(minutes if number is None else number, f"{changed:%Y-%m-%dT%H:%M:%S}", **changes)


def read(source, position=START):
    """The rows of all pages, and where the reading stopped."""
    rows = []
    for page in source.pages(position):
        rows += page.rows
        position = page.position
    return rows, json.loads(json.dumps(position))


def ids(rows):
    return [row.external_id for row in rows]


def set_of(rows):
    """Which reviews or orders they are."""
    return set(ids(rows))


def known(rows):
    return {row["srid"] for row in rows}


def asked_from(world):
    """From which change on the orders were asked for, page by page."""
    return [query["dateFrom"] for query in world.queries]
