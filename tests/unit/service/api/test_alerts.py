import logging
import time

import pytest
from fastapi.testclient import TestClient

from service.main import create_app
from service.settings import Settings
from telemetry import semconv, setup


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


def test_an_alert_is_acknowledged_once_and_the_record_says_by_whom(client):
    logging.getLogger("shop").error("no stock")

    first = client.post("/alerts/1/acknowledge", json={"by": "anna"})
    second = client.post("/alerts/1/acknowledge", json={"by": "boris"})

    assert (first.status_code, first.json()["acknowledged_by"], first.json()["already"]) == (200, "anna", False)
    assert second.json() == first.json() | {"already": True}
    [alert] = client.get("/alerts").json()["alerts"]
    assert (alert["acknowledged_by"], alert["acknowledged_at"]) == ("anna", first.json()["acknowledged_at"])
    assert alert["seconds_to_acknowledge"] >= 0
    assert alert["seconds_to_resolve"] is None


def test_an_acknowledgement_without_a_name_has_the_address_of_the_client(client):
    logging.getLogger("shop").error("no stock")

    assert client.post("/alerts/1/acknowledge", json={}).json()["acknowledged_by"] == "the API, from testclient"


def test_an_unknown_alert_and_one_that_has_ended_are_not_acknowledged(client):
    firing = {semconv.ALERT_CONDITION: "stock", semconv.ALERT_FINGERPRINT: "stock"}
    logging.getLogger("shop").error("no stock", extra=firing)
    logging.getLogger("shop").error("stock is there", extra=firing | {semconv.ALERT_RESOLVED: True})

    unknown, ended = (client.post(f"/alerts/{number}/acknowledge", json={}) for number in (42, 1))

    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no alert 42. GET /alerts lists them.")
    assert (ended.status_code, ended.json()["detail"]) == (409, "Alert 1 has ended: it needs no acknowledgement.")
    [alert] = client.get("/alerts").json()["alerts"]
    assert alert["acknowledged_at"] is None
    assert alert["seconds_to_resolve"] >= 0


def test_an_acknowledgement_needs_the_token(tmp_path, sqlite_engine):
    settings = Settings(
        database_url=str(sqlite_engine.url), data_dir=tmp_path / "var", scheduler=False, ops_token="secret-token-1234"
    )
    app = create_app(settings)
    logging.getLogger("shop").error("no stock")
    answer = TestClient(app).post("/alerts/1/acknowledge", json={"by": "a stranger"})
    acknowledged = app.state.telemetry.alerts.queries.page(time.time())[0].incident.acknowledged_at
    setup.shutdown()
    app.state.runtime.engine.dispose()

    assert (answer.status_code, acknowledged) == (401, None)


def test_the_record_of_an_alert_shows_what_each_channel_has_of_it(client):
    logging.getLogger("shop").error("no stock")
    with client.app.state.telemetry.alerts.outbox.transaction() as connection:
        connection.execute(
            "INSERT INTO deliveries (incident_id, channel, key, step, count, at, escalated_at, remote_id, begun, is_doubtful, "
            "attempts, refused) VALUES (1, 'slack', 'key', 'acknowledge', 3, 10, 5, 'C1:2.3', '', 1, 0, 0)"
        )

    [delivery] = client.get("/alerts").json()["alerts"][0]["deliveries"]

    assert delivery == {
        "channel": "slack",
        "state": "acknowledged",
        "message_id": "C1:2.3",
        "count": 3,
        "sent_at": "1970-01-01T00:00:10Z",
        "escalated_at": "1970-01-01T00:00:05Z",
        "attempts": 0,
        "possible_duplicate": True,
        "last_error": None,
    }
