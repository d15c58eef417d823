"""The service's requests to Ozon and the sandbox's responses, held against schemas of the public documentation."""

import json
import threading
from datetime import timedelta

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from service.database.tables import RateLimitRow
from service.integrations.http.client import ApiClient
from service.integrations.http.errors import CallError
from service.integrations.http.rate_limiter import RateLimiter
from service.integrations.marketplace import START, InvalidPayload
from service.integrations.ozon.client import ENDPOINTS, ozon_api, post
from service.integrations.ozon.credentials import check_review_access, fetch_key_expiry
from service.integrations.ozon.marketplace import OzonOrders, OzonReviews
from service.sandbox.credentials import OZON_API_KEY, OZON_CLIENT_ID
from service.sandbox.fake_service import Environment
from service.sandbox.journal import Journal
from service.sandbox.options import Options
from service.sandbox.ozon.fake import OzonFake
from service.sandbox.simulation import Simulation
from telemetry.database import create_engine
from tests.support.ozon_schema_check import faults_of
from tests.support.ozon_schemas import ERROR, REQUESTS, RESPONSES
from tests.support.ozon_stub import ManualClock

DAY = timedelta(days=1)
EVERYTHING = dict.fromkeys(("analytics_data", "barcodes", "financial_data", "legal_info"), True)
NEVER_CALLED = {"/v2/review/change-status"}  # it is among the endpoints only to be named on /metrics


class Recorder:
    """An ASGI application in front of another: keeps the path, the request, the status and the response of each call."""

    def __init__(self, app):
        self.app, self.exchanges = app, []

    async def __call__(self, scope, receive, send):
        sent, received = bytearray(), bytearray()
        status = []

        async def receiving():
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def sending(message):
            status.append(message.get("status"))
            received.extend(message.get("body", b""))
            await send(message)

        await self.app(scope, receiving, sending)
        path = scope["path"].removeprefix("/ozon")
        self.exchanges.append((path, json.loads(sent), status[0], json.loads(received)))


class Shop:
    """A sandbox of Ozon, and the service's clients of it, with one clock, which the rate limit moves."""

    def __init__(self, url, fake, recorder, client, clock):
        self.fake, self.recorder, self.client, self.clock = fake, recorder, client, clock
        self.reviews = OzonReviews(client, lambda _skus: {}, clock.now)
        self.orders = OzonOrders(client, clock.now)

    def read(self, source, position=START):
        """All rows of a source, and the position behind them."""
        rows = []
        for page in source.pages(position):
            rows.extend(page.rows)
            position = page.position
        return rows, position

    def read_twice(self, source):
        rows, position = self.read(source)
        self.later(DAY)
        return [*rows, *self.read(source, position)[0]]

    def later(self, step):
        self.clock.moment += step


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    clock, journal = ManualClock(), Journal()
    options = Options(ozon_reviews=130, ozon_postings=260, ozon_per_second=1000.0, ozon_reviews_every=DAY / 10)
    options.ozon_postings_every = DAY / 400
    simulation = Simulation(1, journal.start(1, clock.now()), clock.now)
    fake = OzonFake(Environment(simulation, journal, options), clock.seconds)
    recorder = Recorder(
        Starlette(routes=[Mount(prefix, app=Starlette(routes=served)) for prefix, served in fake.routes().items()])
    )
    server = uvicorn.Server(uvicorn.Config(recorder, port=0, log_config=None, lifespan="off", ws="none"))
    listener = server.config.bind_socket()
    listener.listen()
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('ozon')}/limits.db")
    RateLimitRow.__table__.create(engine)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/ozon"
    api = ozon_api(url, OZON_CLIENT_ID, OZON_API_KEY)
    client = ApiClient(api, RateLimiter(engine, clock=clock.seconds), clock.wait)
    yield Shop(url, fake, recorder, client, clock)
    client.close()
    server.should_exit = True
    thread.join(60)
    engine.dispose()
    listener.close()
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def worked(shop):
    """The shop after the service has done with it all that it does: rows by their source."""
    rows = {source.name: shop.read_twice(source) for source in shop.orders.sources()}
    for source in (*shop.reviews.unanswered, *shop.reviews.history):
        rows[source.name] = shop.read_twice(source)
    waiting = [review.external_id for review in shop.read(shop.reviews.unanswered[0])[0]]
    for external_id, text in zip(waiting, ("Спасибо за отзыв!", "Подробнее: https://shop.test"), strict=False):
        assert shop.reviews.answer(external_id, text)
        rows["fresh"] = [*rows.get("fresh", []), shop.reviews.read(external_id)]
    shop.later(DAY)
    read_again = {review.external_id for review in (*rows["fresh"], *rows["ozon.reviews"][-40:])}
    rows["single"] = [shop.reviews.read(external_id) for external_id in sorted(read_again)]
    fetch_key_expiry(shop.client)
    check_review_access(shop.client)
    return rows


def faults_in(exchanges):
    """What is not as documented, with its path, each once. A refusal has the form of errors."""
    found = set()
    for path, request, status, response in exchanges:
        answers = RESPONSES.get(path) if status == 200 else ERROR
        found.update(f"request {path}: {fault}" for fault in faults_of(request, REQUESTS[path]))
        found.update(f"response {path}: {fault}" for fault in (faults_of(response, answers) if answers else ()))
    return sorted(found)


@pytest.mark.usefixtures("worked")
def test_requests_and_responses_are_as_ozon_documents_them(shop):
    assert faults_in(shop.recorder.exchanges) == []


@pytest.mark.usefixtures("worked")
def test_every_method_that_the_service_uses_was_called(shop):
    assert {path for path, *_ in shop.recorder.exchanges} == set(REQUESTS) == set(ENDPOINTS) - NEVER_CALLED


def test_every_row_can_be_read(worked):
    rows = [row for rows in worked.values() for row in rows]

    assert len(rows) > 500
    assert [row for row in rows if row is None or isinstance(row, InvalidPayload) or row.odd] == []


def test_the_states_of_postings_are_all_there(worked):
    fbs = worked["ozon.orders.fbs"]

    assert {"awaiting_verification", "not_accepted", "cancelled_from_split_pending", "cancelled"} <= {
        order.status for order in fbs
    }
    split = [order for order in fbs if order.status == "cancelled_from_split_pending"]
    assert all(order.cancelled and not order.items for order in split)
    assert {order.substatus for order in split} == {"posting_canceled"}


def test_an_answer_is_in_moderation_until_it_is_listed_as_published_or_rejected(worked):
    fresh = {review.external_id: review for review in worked["fresh"]}
    later = [review for review in worked["single"] if review.external_id in fresh]

    assert {(review.answered, review.answer_text) for review in fresh.values()} == {(True, None)}
    assert sorted((review.answer_state, review.answer_text, review.answer_reason) for review in later) == [
        ("published", "Спасибо за отзыв!", None),
        ("rejected", "Подробнее: https://shop.test", "Внешняя ссылка"),
    ]


def test_the_parts_that_a_request_may_include_are_as_documented(shop):
    begin, filters = len(shop.recorder.exchanges), {"since": "2026-09-25T00:00:00Z", "to": "2026-11-25T00:00:00Z"}

    for path, parts in (("/v4/posting/fbs/list", EVERYTHING), ("/v3/posting/fbo/list", EVERYTHING)):
        post(shop.client, path, {"filter": filters, "limit": 100, "with": parts})

    responses = [(path, response) for path, _, _, response in shop.recorder.exchanges[begin:]]
    assert [fault for path, response in responses for fault in faults_of(response, RESPONSES[path])] == []
    shop.recorder.exchanges[begin:] = []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/review/list", {"limit": 19}),
        ("/v2/review/list", {"limit": 101}),
        ("/v2/review/list", {}),
        ("/v1/review/comment/list", {"review_id": "no", "limit": 20}),
        (
            "/v3/posting/fbo/list",
            {"filter": {"since": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z"}, "limit": 101},
        ),
        ("/v4/posting/fbs/list", {"filter": {"since": "2026-11-01T00:00:00Z"}, "limit": 100}),
    ],
)
def test_a_refusal_is_an_error_as_documented(shop, path, body):
    begin = len(shop.recorder.exchanges)

    with pytest.raises(CallError):
        post(shop.client, path, body)

    [(_, _, status, response)] = shop.recorder.exchanges[begin:]
    shop.recorder.exchanges[begin:] = []
    assert (status >= 400, list(faults_of(response, ERROR))) == (True, [])


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"limit": 100}, ""),
        ({"limit": 101}, "$.limit is 101, more than 100"),
        ({"limit": "100"}, "$.limit is str, not integer"),
        ({"limit": True}, "$.limit is bool, not integer"),
        ({}, "$.limit is missing"),
        ({"limit": 100, "page": 1}, "$.page is not documented"),
        ({"limit": 100, "filters": {"status": "UNPROCESSED"}}, "$.filters.status is 'UNPROCESSED', not one of"),
        ({"limit": 100, "filters": {"published_from": "2026-11-24"}}, "$.filters.published_from"),
        ({"limit": 100, "filters": {"skus": ["x"]}}, "$.filters.skus[0] is 'x'"),
    ],
)
def test_the_checker_finds_what_is_wrong(value, fault):
    found = list(faults_of(value, REQUESTS["/v2/review/list"]))

    assert bool(found) is bool(fault)
    assert all(each.startswith(fault) for each in found[:1])
