from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.edge.admission import Admissions
from service.api.orders import router
from service.api.problems import install_exception_handlers
from service.database.process_engines import Engines
from service.orders.repository import OrderRepository
from telemetry.database import transaction
from tests.support.fakes import NOON, an_item, an_order

MOSCOW = timezone(timedelta(hours=3))


def make_client(engine):
    app = FastAPI()
    install_exception_handlers(app)
    app.include_router(router)
    app.state.runtime = SimpleNamespace(engines=Engines(engine, engine, engine))
    app.state.admissions = Admissions()
    return TestClient(app, raise_server_exceptions=False)


def keep_in(engine, *orders):
    with transaction(engine) as session:
        OrderRepository(session).save(orders, NOON)


@pytest.fixture
def client(sqlite_engine):
    return make_client(sqlite_engine)


@pytest.fixture
def keep(sqlite_engine):
    return partial(keep_in, sqlite_engine)


def listed(client, query=""):
    answer = client.get(f"/api/v1/orders?{query}")
    assert answer.status_code == 200, answer.text
    return [order["external_id"] for order in answer.json()["orders"]]


def test_everything_that_is_useful_of_an_order_is_told(engine):
    items = (an_item(quantity=2, price=Decimal("1580.5")),)
    keep_in(engine, an_order(1, items=items, ordered_at=datetime(2025, 10, 1, 12, 30, tzinfo=MOSCOW)))

    [order] = make_client(engine).get("/api/v1/orders").json()["orders"]

    assert order == {
        "id": 1,
        "marketplace": "wb",
        "external_id": "order-1",
        "order_number": "98765",
        "scheme": "fbo",
        "ordered_at": "2025-10-01T09:30:00Z",
        "status": "ordered",
        "substatus": None,
        "cancelled": False,
        "cancelled_at": None,
        "quantity": 2,
        "amount": "3161.00",
        "currency": "RUB",
        "amounts": {"RUB": "3161.00"},
        "items": [
            {
                "product_id": "1",
                "article": "PJ-12",
                "name": "Pyjamas",
                "quantity": 2,
                "price": "1580.50",
                "currency": "RUB",
            }
        ],
        "updated_at": "2025-10-02T12:00:00Z",
    }


def test_orders_are_told_newest_first_and_the_next_page_is_behind_a_link(client, keep):
    keep(*(an_order(number) for number in range(5)))

    answer = client.get("/api/v1/orders?limit=3&scheme=fbo")

    assert [order["external_id"] for order in answer.json()["orders"]] == ["order-4", "order-3", "order-2"]
    assert answer.headers["link"] == '</api/v1/orders?limit=3&scheme=fbo&before=3>; rel="next"'
    assert listed(client, "limit=3&scheme=fbo&before=3") == ["order-1", "order-0"]
    assert "link" not in client.get("/api/v1/orders?limit=3&before=3").headers


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("marketplace=ozon", [2]),
        ("scheme=fbs", [3]),
        ("scheme=unknown", []),
        ("cancelled=true", [4]),
        ("cancelled=false&marketplace=wb", [3, 1]),
        (f"since={an_order(3).ordered_at:%Y-%m-%dT%H:%M:%SZ}", [4, 3]),
        ("marketplace=&scheme=&cancelled=&since=&before=", [4, 3, 2, 1]),
    ],
)
def test_orders_are_told_as_they_are_asked_for(client, keep, query, numbers):
    keep(an_order(1), an_order(2, marketplace="ozon"), an_order(3, scheme="fbs"), an_order(4, cancelled=True))

    assert listed(client, query) == [f"order-{number}" for number in numbers]


@pytest.mark.parametrize(
    "query", ["scheme=dbs", "marketplace=amazon", "cancelled=maybe", "before=77", "limit=0", "since=now"]
)
def test_what_cannot_be_asked_is_said_in_a_sentence(client, query):
    answer = client.get(f"/api/v1/orders?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    name, _, given = query.partition("=")
    assert answer.json()["detail"].startswith(f"{name} must be ")
    assert answer.json()["detail"].endswith(f"; got {given}.")
