"""A scripted Ozon on loopback: its responses in order, and the requests that it received."""

import http.server
import json
from collections import deque
from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st

from service.integrations.marketplace import START

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLIENT_ID, API_KEY = "123456", "0a1b2c3d-1111-2222-3333-444455556666"


class OzonStub(http.server.ThreadingHTTPServer):
    """Responds with the enqueued responses in order, then with 418."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests = []
        self.headers = []
        self._responses = deque()

    def enqueue(self, *bodies, status=200, **headers):
        self._responses.extend((status, body, headers) for body in bodies)

    def refuse(self, status, code, message, **headers):
        self.enqueue({"code": code, "message": message, "details": []}, status=status, **headers)

    def next_response(self):
        return self._responses.popleft() if self._responses else (418, "the script has ended", {})

    @property
    def paths(self):
        return [path for path, _ in self.requests]

    @property
    def bodies(self):
        return [body for _, body in self.requests]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: OzonStub

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, json.loads(sent)))
        self.server.headers.append(dict(self.headers))
        status, body, headers = self.server.next_response()
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        """No log."""


class ManualClock:
    """Stands still until it is slept on, and records the waits with their reasons."""

    def __init__(self):
        self.waits = []
        self.moment = NOON

    def now(self):
        return self.moment

    def seconds(self):
        return self.moment.timestamp()

    def wait(self, seconds, why):
        self.waits.append((round(seconds, 3), why))
        self.moment = datetime.fromtimestamp(self.moment.timestamp() + seconds, UTC)


def review(number=1, **changes):
    """A review as Ozon writes it; `number` tells reviews apart."""
    return {
        "id": f"01931f2e-5b1a-7c39-9e44-{number:012}",
        "sku": "1700223344",
        "text": "Шов разошёлся через неделю",
        "published_at": "2026-11-21T07:23:55.970Z",
        "rating": 2,
        "status": "NEW",
        "comments_amount": 0,
        "photos_amount": 1,
        "videos_amount": 0,
        "order_status": "DELIVERED",
        "is_rating_participant": True,
    } | changes


def reviews(*rows, has_next=False, last_id=""):
    return {"reviews": list(rows), "has_next": has_next, "last_id": last_id}


def product(**changes):
    return {
        "sku": 1700223344,
        "offer_id": "PJ-12",
        "name": "Пижама хлопок",
        "quantity": 2,
        "price": {"amount": "2080.00", "currency": "RUB"},
    } | changes


def posting(number=1, **changes):
    """A posting as Ozon writes it, with the buyer in it."""
    return {
        "posting_number": f"0117733221-0004-{number}",
        "order_id": 30011223344,
        "order_number": "0117733221-0004",
        "status": "awaiting_packaging",
        "substatus": "posting_created",
        "in_process_at": "2026-11-22T08:00:00Z",
        "shipment_date": "2026-11-24T12:00:00Z",
        "delivering_date": None,
        "products": [product()],
        "cancellation": None,
        "analytics_data": {"city": "Тестоград"},
        "financial_data": None,
        "customer": {"name": "Тест Тестов", "phone": "+79990000000"},
        "addressee": {"name": "Тест Тестов"},
        "legal_info": {"company_name": "ИП Тестов"},
    } | changes


def postings(*rows, has_next=False, cursor=""):
    return {"postings": list(rows), "has_next": has_next, "cursor": cursor}


def read(source, position=START):
    """Each page of a source: the last digits of its ids, and the position behind it."""
    return [([row.external_id[-1] for row in page.rows], page.position) for page in source.pages(position)]


def read_until_it_fails(source, error, position=START):
    """The positions behind the pages that came before the error."""
    pages = []
    with pytest.raises(error):
        pages.extend(source.pages(position))
    return [page.position for page in pages]


def json_of(names):
    """Any JSON, valid or not, with these names of fields."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=4),
        max_leaves=10,
    )
