"""The page of alerts by requests."""

import re
import time
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import telemetry
from telemetry import console
from telemetry.alerts import AlertLevel, Condition, ConditionPeriod, condition, get_alert_service
from telemetry.console import firing_alerts
from telemetry.settings import TelemetrySettings

ORIGIN = {"origin": "http://127.0.0.1:8080"}
FULL = Condition("disk:var", AlertLevel.WARNING, "resources", "Disk space: 95% used (threshold: 90%)")


@pytest.fixture
def app():
    app = FastAPI(title="library")
    running = telemetry.start(app=app, settings=TelemetrySettings())
    telemetry.create_tables(running.engine)
    console.mount(app)
    app.state.alerts = running.alerts
    yield app
    telemetry.shutdown()


@pytest.fixture
def client(app):
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 4711), follow_redirects=False)


@pytest.fixture
def alerts(app):
    """Two alerts, and one that is over."""
    get_alert_service().report("token of <wb> rejected", AlertLevel.ERROR, "wb")
    condition.fire(FULL)
    ended = Condition("disk:tmp", AlertLevel.WARNING, "resources", "Disk space of /tmp: 99% used")
    condition.fire(ended)
    condition.resolve(ended, ConditionPeriod(time.time() - 60, time.time(), time.time()))
    until = time.monotonic() + 30
    while len(app.state.alerts.queries.page(time.time())) < 3 and time.monotonic() < until:
        time.sleep(0.02)


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def silence(client, **form):
    given = {"component": "wb", "for": "1h", "reason": "a <new> token"} | form
    return client.post("/console/alerts/silence", data=given, headers=ORIGIN)


def test_without_alerts_it_says_so_and_what_is_not_configured(client):
    page = client.get("/console/alerts")

    assert page.status_code == 200
    assert "There has been no alert yet." in text(page)
    assert "No channel is configured" in text(page)


def test_each_alert_has_its_state_and_its_message_as_the_phone_shows_it(client, alerts):
    page = client.get("/console/alerts")

    assert "token of &lt;wb&gt; rejected" in page.text
    messages = re.findall(r'<pre class="phone">(.*?)</pre>', page.text, re.DOTALL)
    assert [message.split("\n")[0] for message in messages] == ["✅ RESOLVED", "⚠️ WARNING", "❌ ERROR"]
    assert "Component: wb" in messages[-1]
    states = re.findall(r"<td>(\w+)(?:<small>(\w+))?", page.text)
    assert states == [("pending", "resolved"), ("pending", ""), ("pending", "")]
    assert client.get("/console/alerts?state=pending").text.count('<pre class="phone">') == 3
    assert client.get("/console/alerts?state=ended").text.count('<pre class="phone">') == 0


def test_a_component_is_silenced_with_a_reason_and_the_silence_is_ended(client, alerts):
    done = silence(client)
    assert (done.status_code, done.headers["location"]) == (303, "/console/alerts")
    page = client.get("/console/alerts")
    assert "Alerts of wb are silenced for 1h" in text(page)
    assert "a &lt;new&gt; token (console, from 127.0.0.1)" in page.text
    assert re.findall(r"<td>(silenced)", page.text) == ["silenced"]

    assert client.post("/console/alerts/end-silence", data={"component": "wb"}, headers=ORIGIN).status_code == 303

    page = client.get("/console/alerts")
    assert "Nothing is silenced." in text(page)
    assert re.findall(r"<td>(silenced)", page.text) == []


def acknowledge(client, alert_id):
    return client.post("/console/alerts/acknowledge", data={"id": alert_id}, headers=ORIGIN)


def of_component(app, component):
    records = app.state.alerts.queries.page(time.time())
    return next(each.incident for each in records if each.incident.component == component)


def test_an_alert_is_acknowledged_once_with_who_did_it_and_its_button_is_gone(app, client, alerts):
    number = of_component(app, "wb").id
    button = f'aria-label="Acknowledge alert {number}"'
    assert button in client.get("/console/alerts").text

    done = acknowledge(client, number)

    assert (done.status_code, done.headers["location"]) == (303, "/console/alerts")
    first = of_component(app, "wb")
    assert first.acknowledged_by == "console, from 127.0.0.1"
    page = client.get("/console/alerts")
    assert f"Alert {number} is acknowledged: it is not escalated." in text(page)
    assert "acknowledged by console, from 127.0.0.1" in text(page)
    assert button not in page.text
    assert acknowledge(client, number).status_code == 303
    assert f"Alert {number} was acknowledged already by console, from 127.0.0.1, at " in text(
        client.get("/console/alerts")
    )
    assert of_component(app, "wb") == first


def test_an_alert_that_has_ended_or_does_not_exist_cannot_be_acknowledged(app, client, alerts):
    ended = next(each.incident for each in app.state.alerts.queries.page(time.time()) if not each.incident.is_open)
    assert f'aria-label="Acknowledge alert {ended.id}"' not in client.get("/console/alerts").text

    for alert_id, reason in (
        (ended.id, f"Alert {ended.id} has ended: it needs no acknowledgement."),
        (4711, "There is no alert 4711"),
        *((wrong, "An acknowledgement needs the number of an alert.") for wrong in ("", "-1", "x", "9" * 40, "\uff11")),
    ):
        page = acknowledge(client, alert_id)
        assert (page.status_code, reason in text(page)) == (409, True), alert_id

    assert [each.incident.acknowledged_by for each in app.state.alerts.queries.page(time.time())] == ["", "", ""]


def test_a_page_of_another_site_acknowledges_nothing(app, client, alerts):
    number = of_component(app, "wb").id

    foreign = {"origin": "http://evil.example"}
    answer = client.post("/console/alerts/acknowledge", data={"id": number}, headers=foreign)

    assert answer.status_code == 403
    assert of_component(app, "wb").acknowledged_by == ""


def test_a_silence_without_what_it_needs_is_refused(client):
    for form in (
        *({"component": component} for component in ("", "two words", "x" * 101, "a\x00b")),
        *({"for": "forever"}, {"for": ""}, {"reason": " \n\t"}),
    ):
        page = silence(client, **form)
        assert (page.status_code, "A silence needs" in text(page)) == (409, True), form

    assert "Nothing is silenced." in text(client.get("/console/alerts"))


def test_everything_can_be_silenced_and_what_is_not_silenced_has_no_end(client):
    assert silence(client, component="all").status_code == 303
    assert "All alerts are silenced" in text(client.get("/console/alerts"))

    client.post("/console/alerts/end-silence", data={"component": "nothing"}, headers=ORIGIN)

    assert "nothing was not silenced." in text(client.get("/console/alerts"))


def test_a_query_that_makes_no_sense_is_not_used(client, alerts):
    for query in ("state=nope", "before=x", "before=-1", "before=99999999999999999999999", "state="):
        page = client.get(f"/console/alerts?{query}")
        assert (page.status_code, page.text.count('<pre class="phone">')) == (200, 3), query


def test_the_navigation_counts_the_alerts_that_fire(client, alerts):
    shown = client.get("/console/logs").text

    assert re.search(r'class="badge"[^>]*>2</span>', shown)
    assert 'data-firing="2"' in shown


def test_firing_alerts_are_not_counted_anew_for_a_while_and_none_where_that_fails(monkeypatch):
    monkeypatch.setattr(firing_alerts, "_FRESH_FOR", 3600.0)
    asked = []

    class Queries:
        def counts(self, _now):
            asked.append(1)
            raise OSError("no disk")

    counter = firing_alerts.FiringAlerts()
    broken = SimpleNamespace(is_on=True, queries=Queries())
    assert [counter.count(broken), counter.count(broken)] == [0, 0]
    assert asked == [1]
