"""What each service has of its own: its texts, its identity of an incident, and its refusals."""

import json
import time
from datetime import datetime

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.due_deliveries import REMIND_AFTER
from telemetry.alerts.rendering.message import Message
from tests.support.loopback import response
from tests.unit.telemetry.alerts.incident_channels.conftest import event, played

OPEN, UPDATE, ACKNOWLEDGE, RESOLVE = IncidentStep


def played_as(name):
    @pytest.fixture(name=name)
    def fixture():
        with played(name) as it:
            yield it

    return fixture


pagerduty, slack, alertmanager = map(played_as, ("pagerduty", "slack", "alertmanager"))
jsm, grafana_irm, incident_io, ntfy = map(played_as, ("jsm", "grafana_irm", "incident_io", "ntfy"))


def refusal(it, step=OPEN, **values):
    with pytest.raises(ChannelError) as raised:
        it.step(step, **values)
    return raised.value


def test_pagerduty_follows_the_states_of_an_incident(pagerduty):
    states = []
    for step in (OPEN, UPDATE, ACKNOWLEDGE, RESOLVE, OPEN):
        pagerduty.step(step)
        states.append(pagerduty.service.states["shop"])

    assert states == ["open", "open", "acknowledged", "resolved", "open"]
    assert pagerduty.service.kept["shop"].times_opened == 2


def test_pagerduty_gets_what_a_person_needs_at_night(pagerduty):
    pagerduty.step(OPEN, level=AlertLevel.CRITICAL, facts={"job": "sync"}, trace_url="https://traces.example/1")

    (request,) = pagerduty.server.requests
    payload = request.body["payload"]
    assert payload["summary"] == "shop: shop failed"
    assert (payload["severity"], payload["source"]) == ("critical", "shop@host-1")
    assert payload["timestamp"] == "2025-10-02T12:00:00.000+00:00"
    assert payload["custom_details"]["job"] == "sync"
    assert payload["custom_details"]["message"] == "❌ CRITICAL\nshop failed"
    assert request.body["links"] == [{"href": "https://traces.example/1", "text": "Trace"}]


def test_a_revoked_key_of_pagerduty_disables_the_channel(pagerduty):
    pagerduty.service.is_revoked = True

    error = refusal(pagerduty)

    assert (error.permanent, error.message_rejected) == (True, False)
    assert "PAGERDUTY_ROUTING_KEY" in str(error)
    assert "Invalid routing key" in str(error)


def test_pagerduty_says_when_its_limit_is_over(pagerduty):
    pagerduty.service.faults.append(response({"message": "Rate limit reached"}, 429, ratelimit_reset="42"))

    assert refusal(pagerduty).retry_after == 42.0


def test_slack_has_one_message_that_each_step_replaces(slack):
    slack.step(OPEN)
    slack.step(ACKNOWLEDGE, acknowledged_by="Anna")
    slack.step(UPDATE, acknowledged_by="Anna")
    slack.step(RESOLVE, acknowledged_by="Anna", message=Message("", "✅ RESOLVED"))

    assert slack.server.paths == ["/api/chat.postMessage", *["/api/chat.update"] * 3]
    (kept,) = slack.service.kept.values()
    acknowledged = "Acknowledged by Anna.\n❌ ERROR\nshop failed"
    assert kept.texts == ["❌ ERROR\nshop failed", acknowledged, acknowledged, "✅ RESOLVED"]


def test_a_message_that_was_deleted_in_slack_is_sent_as_a_new_one(slack):
    slack.step(OPEN)
    slack.service.kept.clear()

    slack.step(UPDATE)

    assert slack.server.paths[-2:] == ["/api/chat.update", "/api/chat.postMessage"]
    assert slack.remote_id == f"{slack.service.channel}:{next(iter(slack.service.kept))}"


def test_a_text_mentions_nobody_in_slack(slack):
    slack.step(OPEN, message=Message("", "<!channel> <@U1> a & b"))

    assert slack.server.requests[0].body["text"] == "&lt;!channel&gt; &lt;@U1&gt; a &amp; b"


@pytest.mark.parametrize(
    ("error", "flags"),
    [
        ("token_revoked", "permanent"),
        ("channel_not_found", "permanent"),
        ("not_in_channel", "permanent"),
        ("missing_scope", "permanent"),
        ("msg_too_long", "message_rejected"),
        ("internal_error", "outcome_unknown"),
        ("ratelimited", "retry_after"),
    ],
)
def test_slack_refuses_in_a_response_of_status_200(slack, error, flags):
    slack.service.faults.append(response({"ok": False, "error": error}))

    raised = refusal(slack)

    found = {name for name in ("permanent", "message_rejected", "outcome_unknown") if getattr(raised, name)}
    assert found | ({"retry_after"} if raised.retry_after else set()) == {flags}


def test_the_probe_of_slack_names_the_workspace(slack):
    assert slack.channel.probe() == "the token of alerts in Shop is valid"

    slack.service.is_revoked = True
    with pytest.raises(ChannelError, match=r"^slack refuses \(token_revoked\)$"):
        slack.channel.probe()


def labels(it):
    return [json.loads(key) for key in it.service.kept]


def test_alertmanager_gets_the_labels_that_routes_match(alertmanager):
    alertmanager.step(OPEN)

    assert labels(alertmanager) == [
        {
            "alertname": "ServiceAlert",
            "component": "shop",
            "fingerprint": "shop",
            "instance": "host-1",
            "level": "error",
            "service": "shop",
            "severity": "error",
        }
    ]


def test_an_alert_of_alertmanager_outlasts_the_time_until_the_next_update(alertmanager):
    alertmanager.step(OPEN)

    (alert,) = alertmanager.server.requests[0].body
    assert alert["annotations"]["runbook_url"] == "https://docs.example/runbook#any"
    assert datetime.fromisoformat(alert["endsAt"]).timestamp() > time.time() + REMIND_AFTER
    assert alertmanager.service.states == {json.dumps(alert["labels"], sort_keys=True): "open"}


def test_alertmanager_resolves_the_same_alert_after_a_restart_on_another_host(alertmanager):
    alertmanager.step(OPEN)
    alertmanager.remote_id = "error:host-0"
    alertmanager.service.kept = {
        json.dumps({**label, "instance": "host-0"}, sort_keys=True): kept
        for label, kept in zip(labels(alertmanager), alertmanager.service.kept.values(), strict=True)
    }

    alertmanager.step(RESOLVE)

    assert list(alertmanager.service.states.values()) == ["resolved"]


def test_an_incident_that_becomes_worse_is_one_alert_of_alertmanager(alertmanager):
    alertmanager.step(OPEN, level=AlertLevel.WARNING)
    alertmanager.step(UPDATE, level=AlertLevel.CRITICAL)

    states = {json.loads(key)["severity"]: state for key, state in alertmanager.service.states.items()}
    assert states == {"warning": "resolved", "critical": "open"}


def test_alertmanager_cannot_acknowledge_and_says_so(alertmanager):
    assert ACKNOWLEDGE not in alertmanager.channel.steps
    assert alertmanager.channel.probe() == "Alertmanager is ready"


def test_a_service_without_a_harmless_call_cannot_be_asked(pagerduty):
    assert pagerduty.channel.probe() is None
    assert pagerduty.server.requests == []


def test_an_event_has_no_text_but_a_title(pagerduty):
    pagerduty.channel.deliver(event(OPEN, summary="", error="", message=Message("", "")))

    assert pagerduty.server.requests[0].body["payload"]["summary"] == "shop: (no text)"


def test_incident_io_says_in_its_body_when_its_limit_is_over(incident_io):
    limit = {"name": "key", "limit": 1200, "remaining": 0, "retry_after": "Thu, 17 Apr 2099 11:17:18 UTC"}
    incident_io.service.faults.append(response({"type": "too_many_requests", "rate_limit": limit}, 429))

    assert refusal(incident_io).retry_after == 86_400.0


@pytest.mark.parametrize("name", ["jsm", "grafana_irm", "incident_io", "ntfy"])
def test_a_revoked_key_disables_the_channel(name):
    with played(name) as it:
        it.service.is_revoked = True

        assert refusal(it).permanent


def test_jira_service_management_acts_by_alias(jsm):
    states = []
    for step in (OPEN, UPDATE, ACKNOWLEDGE, RESOLVE):
        jsm.step(step)
        states.append(jsm.service.states["shop"])

    assert states == ["open", "open", "acknowledged", "resolved"]
    root = "/jsm/ops/integration/v2/alerts"
    assert jsm.server.paths == [root, root, f"{root}/shop/acknowledge", f"{root}/shop/close"]


def test_a_phone_with_ntfy_is_quiet_for_an_update_and_loud_for_a_new_alert(ntfy):
    for step in (OPEN, UPDATE, ACKNOWLEDGE, RESOLVE):
        ntfy.step(step, level=AlertLevel.CRITICAL)

    assert [request.body["priority"] for request in ntfy.server.requests] == [5, 2, 2, 5]
    assert {request.body["sequence_id"] for request in ntfy.server.requests} == {"shop"}
    assert ntfy.service.states == {"shop": "resolved"}


def test_grafana_irm_gets_the_fields_of_a_formatted_webhook(grafana_irm):
    grafana_irm.step(OPEN)
    grafana_irm.step(RESOLVE)

    assert [request.body["state"] for request in grafana_irm.server.requests] == ["alerting", "ok"]
    assert grafana_irm.server.requests[0].body["link_to_upstream_details"] == "https://docs.example/runbook#any"
