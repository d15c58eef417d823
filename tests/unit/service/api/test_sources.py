from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service.database.tables import InvalidRow, RateLimitRow, SyncPositionRow
from service.orders.repository import OrderRepository
from service.settings import Settings
from service.sync.freshness.credentials import store_ozon_expiry
from telemetry.database import transaction
from tests.support.fakes import NOON, an_order

KEYS = {"ozon_client_id": "1", "ozon_api_key": "key-of-the-tests"}
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@pytest.fixture
def client(app_of):
    return TestClient(app_of(**KEYS), raise_server_exceptions=False)


@pytest.fixture
def keep(sqlite_engine):
    def keep(*rows):
        with transaction(sqlite_engine) as session:
            session.add_all(rows)

    return keep


def sources(client):
    answer = client.get("/sources")
    assert answer.status_code == 200, answer.text
    return {each["source"]: each for each in answer.json()["sources"]}


def test_each_source_of_a_configured_marketplace_is_listed(client):
    found = sources(client)

    assert set(found) == {
        "ozon.reviews.new", "ozon.reviews.viewed", "ozon.reviews", "ozon.orders.fbs", "ozon.orders.fbo"
    }  # fmt: skip
    assert found["ozon.orders.fbs"] == {
        "marketplace": "ozon",
        "source": "ozon.orders.fbs",
        "job_name": "sync_ozon_orders",
        "last_completed": None,
        "age_seconds": None,
        "cadence_seconds": 1800.0,
        "stale": True,
        "newest_row": None,
        "position": {},
        "last_error": None,
        "last_error_at": None,
        "invalid_rows": 0,
        "rate_limited_until": None,
        "credential_expires_at": None,
    }


def test_it_says_how_fresh_a_source_is_and_what_is_wrong_with_it(client, keep, sqlite_engine):
    times = {"began_at": NOW, "updated_at": NOW, "completed_at": NOW - DAY, "last_error_at": NOW}
    keep(
        SyncPositionRow(name="ozon.orders.fbs", position={"since": "x"}, last_error="Ozon is away.", **times),
        SyncPositionRow(name="ozon.orders.fbo", position={}, **times | {"completed_at": NOW}),
        RateLimitRow(key="ozon:abc", full_at=0.0, blocked_until=(NOW + DAY).timestamp()),
        InvalidRow(
            source="ozon.orders",
            reason="odd",
            payload={},
            fingerprint="f",
            first_seen_at=NOW,
            last_seen_at=NOW,
            times=9,
        ),
    )
    with transaction(sqlite_engine) as session:
        OrderRepository(session).save([an_order(1, marketplace="ozon"), an_order(2, marketplace="wb")], NOON)
        store_ozon_expiry(session, Settings(**KEYS), NOW + 9 * DAY, NOW)

    found = sources(client)

    fbs, fbo = found["ozon.orders.fbs"], found["ozon.orders.fbo"]
    assert (fbs["stale"], fbo["stale"]) == (True, False)
    assert fbs["age_seconds"] - fbo["age_seconds"] == pytest.approx(86_400)
    assert (fbs["position"], fbs["last_error"], fbs["invalid_rows"]) == ({"since": "x"}, "Ozon is away.", 1)
    assert datetime.fromisoformat(fbs["newest_row"]) == an_order(1).ordered_at
    assert datetime.fromisoformat(fbs["rate_limited_until"]) == NOW + DAY
    assert datetime.fromisoformat(fbs["credential_expires_at"]) == NOW + 9 * DAY
    assert found["ozon.reviews"]["invalid_rows"] == 0


def test_a_limit_that_is_over_is_none(client, keep):
    keep(RateLimitRow(key="ozon:abc", full_at=0.0, blocked_until=(NOW - DAY).timestamp()))

    assert sources(client)["ozon.reviews"]["rate_limited_until"] is None


def test_without_the_database_it_says_so(app_of, tmp_path):
    client = TestClient(
        app_of(database_url=f"sqlite:///{tmp_path}/nowhere/x.db", **KEYS), raise_server_exceptions=False
    )

    answer = client.get("/sources")

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "The database cannot be used now" in answer.json()["detail"]
