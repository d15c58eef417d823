"""GET /costs and the console's page by requests, with what processes have written."""

import re
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from service.database.cost_tables import CostDayRow
from telemetry.database import transaction

TODAY = datetime.now(UTC).date()
ROWS = (
    ("cpu", "job", "sync_wb_orders", 100.0, 0.5),
    ("cpu", "route", "/api/v1/reviews", 40.0, 0.2),
    ("cpu", "service", "idle", 20.0, 0.1),
    ("openai", "job", "generate_advice", 3.0, 3.0),
    ("memory", "service", "processes", 3.6e12, None),
)


@pytest.fixture
def client_of(app_of, sqlite_engine):
    def make(**settings):
        with transaction(sqlite_engine) as session:
            session.add_all(
                CostDayRow(day=TODAY, resource=resource, kind=kind, name=name, machine=machine, amount=amount, usd=usd)
                for resource, kind, name, amount, usd in ROWS
                for machine in ("shop-1", "shop-2")
            )
        return TestClient(app_of(**settings), "http://127.0.0.1:8080", client=("127.0.0.1", 4711))

    return make


def test_costs_are_by_name_and_by_day_with_what_is_missing(client_of):
    found = (
        client_of(cost_cpu_hour_usd=18.0, cost_storage_gb_month_usd=0.1, cost_budget_month_usd=50.0)
        .get("/costs")
        .json()
    )

    assert found["usd"] == pytest.approx(7.6)
    assert [(row["name"], row["amount"], row["usd"]) for row in found["rows"][:4]] == [
        ("generate_advice", 6.0, 6.0),
        ("sync_wb_orders", 200.0, 1.0),
        ("/api/v1/reviews", 80.0, 0.4),
        ("idle", 40.0, 0.2),
    ]
    notes = {row["resource"]: row["note"] for row in found["rows"]}
    assert notes["memory"] == "COST_MEMORY_GB_HOUR_USD is not set."
    assert notes["storage"] == "COST_STORAGE_GB_MONTH_USD is set, but the storage is not measured yet."
    assert found["by_day"] == [
        {
            "day": str(TODAY),
            "cpu_seconds": 320.0,
            "usd": pytest.approx(7.6),
            "by_resource": {"cpu": pytest.approx(1.6), "openai": 6.0},
        }
    ]
    assert found["month"]["budget_usd"] == 50.0
    assert found["prices"]["cpu_hour_usd"] == 18.0


def test_a_window_that_makes_no_sense_is_rejected(client_of):
    client = client_of()

    for window in ("0d", "1y", "x", "-1d", "1.5d"):
        assert client.get("/costs", params={"window": window}).status_code == 422, window


def test_a_window_of_any_length_is_answered(client_of):
    client = client_of()

    for window in ("1s", "99999w"):
        assert client.get("/costs", params={"window": window}).json()["until"] == str(TODAY), window


def test_costs_need_the_token(client_of):
    assert client_of(ops_token="opensesame-opensesame").get("/costs").status_code == 401


def test_the_console_shows_the_same(client_of):
    page = client_of(cost_cpu_hour_usd=18.0).get("/console/costs")

    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    assert page.status_code == 200
    assert "sync_wb_orders cpu 200.00 s 1.0000" in shown
    assert "processes memory 2.000 GB·hours \u2013 COST_MEMORY_GB_HOUR_USD is not set." in shown
