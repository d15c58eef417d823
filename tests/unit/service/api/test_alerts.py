import logging
import time

import pytest
from fastapi.testclient import TestClient

from service.main import create_app
from service.settings import Settings
from telemetry import setup


@pytest.fixture
def client(tmp_path, sqlite_engine):
    app = create_app(Settings(database_url=str(sqlite_engine.url), data_dir=tmp_path / "var", scheduler=False))
    yield TestClient(app)
    setup.shutdown()
    app.state.runtime.engine.dispose()


def test_an_alert_that_waits_is_shown_with_what_is_known_of_it(client):
    logging.getLogger("shop").error("no stock", extra={"component": "warehouse"})

    answer = client.get("/alerts").json()

    [alert] = answer["alerts"]
    assert (answer["pending"], alert["state"], alert["component"], alert["text"]) == (
        1,
        "pending",
        "warehouse",
        "no stock",
    )
    assert (alert["count"], alert["attempts"], alert["sent_at"], alert["ended"]) == (1, 0, None, None)
    assert alert["location"].endswith("in test_an_alert_that_waits_is_shown_with_what_is_known_of_it")
    assert answer["channels"] == []
    assert alert["runbook_url"] == "docs/how-to/runbook.md#message-an-error-of-a-library"


def test_pages_follow_each_other(client):
    for number in range(3):
        logging.getLogger("shop").error("no", extra={"http.route": f"/{number}"})

    first = client.get("/alerts", params={"limit": 2})
    second = client.get(first.links["next"]["url"])

    assert [len(first.json()["alerts"]), len(second.json()["alerts"])] == [2, 1]


def test_silences_are_shown_and_what_they_silence(client):
    alerts = client.app.state.telemetry.alerts
    alerts.silences.create("warehouse", time.time() + 60, "it moves", time.time() - 1)
    logging.getLogger("shop").error("no stock", extra={"component": "warehouse"})

    answer = client.get("/alerts").json()

    assert [each["reason"] for each in answer["silences"]] == ["it moves"]
    assert (answer["pending"], answer["silenced"], answer["alerts"][0]["state"]) == (0, 1, "silenced")


def test_a_crashed_request_is_one_alert_that_names_its_route(client):
    @client.app.get("/crash/{number}", include_in_schema=False)
    def crash(number: int):
        raise ZeroDivisionError

    quiet = TestClient(client.app, raise_server_exceptions=False)
    for number in range(3):
        quiet.get(f"/crash/{number}")
    time.sleep(0.6)  # repeats are written at the next flush

    [alert] = client.get("/alerts").json()["alerts"]
    assert (alert["component"], alert["count"], alert["error"]) == ("http", 3, "ZeroDivisionError")
    assert alert["runbook_url"] == "docs/how-to/runbook.md#message-a-request-crashed"
