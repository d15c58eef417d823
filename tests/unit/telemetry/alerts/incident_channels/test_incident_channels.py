"""Every channel with an HTTP API against the strict fake of its service."""

import time

import pytest

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import ChannelError, UnreadableResponse
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.rendering.message import Message
from telemetry.redaction.policy import POLICY
from tests.support.loopback import CUT, HUNG_UP, SILENT, TRICKLING_HEAD, response
from tests.unit.telemetry.alerts.incident_channels.conftest import SERVICES, event, played

OPEN, UPDATE, ACKNOWLEDGE, RESOLVE = IncidentStep
HANG = 8.0
"""Seconds that only a delivery without a deadline takes."""
ODD_TEXTS = {
    "emoji": "🚨" * 5000,
    "100 KB": "ж" * 100_000,
    "control characters": "a\x00b\x1b[31mc\r\nd\u2028e",
    "lone surrogates": "\ud83d" * 3000,
    "markup": "<!channel> <@U1> &amp; *bold* `code`" * 300,
    "empty": "",
}


def failure(it, *answers, **values):
    it.service.faults.extend(answers)
    began = time.monotonic()
    with pytest.raises(ChannelError) as raised:
        it.step(OPEN, **values)
    assert time.monotonic() - began < HANG
    return raised.value


def test_an_incident_is_opened_once_and_resolved_once(each):
    each.step(OPEN)
    each.step(UPDATE, count=2)
    each.step(UPDATE, count=3)
    if ACKNOWLEDGE in each.channel.steps:
        each.step(ACKNOWLEDGE, acknowledged_by="Anna")
    each.step(RESOLVE, end_reason="resolved", ended_at=time.time())

    assert [kept.times_opened for kept in each.service.kept.values()] == [1]
    assert each.service.refused == []


def test_a_step_that_is_sent_again_opens_nothing(each):
    """Slack has no key: there a message whose delivery is doubtful may be there twice."""
    for _ in range(3):
        each.channel.deliver(event(OPEN))

    assert [kept.times_opened for kept in each.service.kept.values()] == (
        [1, 1, 1] if each.channel.name == "slack" else [1]
    )


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_texts_are_accepted(each, text):
    facts = {text[:3000]: text[:3000]}
    each.step(OPEN, component=text, summary=text, error=text, facts=facts, message=Message(text, text))
    each.step(UPDATE, component=text, summary=text, message=Message(text, text))
    each.step(RESOLVE, component=text, summary=text, message=Message(text, text))

    assert each.service.refused == []
    assert len(each.service.kept) == 1


@pytest.mark.parametrize("key", ["x" * 5000, "ключ", "a b/c?d#e", "\ud800"])
def test_a_key_of_any_form_is_one_key(each, key):
    each.step(OPEN, fingerprint=key)
    each.step(UPDATE, fingerprint=key)

    assert each.service.refused == []
    assert len(each.service.kept) == 1


@pytest.mark.parametrize("level", list(AlertLevel))
def test_every_level_is_accepted(each, level):
    each.step(OPEN, level=level)

    assert each.service.refused == []


def test_a_429_is_waited_out_exactly(each):
    error = failure(each, response({"ok": False, "error": "ratelimited"}, 429, retry_after="17"))

    assert (error.retry_after, error.permanent, error.outcome_unknown) == (17.0, False, False)


def test_a_429_without_a_time_is_waited_out_for_a_while(each):
    assert 10 <= failure(each, response("slow down", 429)).retry_after <= 300


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_for_good_is_permanent(each, status):
    error = failure(each, response({"message": "no such key"}, status))

    assert error.permanent
    assert f"({status}: no such key)" in str(error)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_message_that_is_refused_blocks_no_other(each, status):
    error = failure(each, response({"message": "too long"}, status))

    assert (error.message_rejected, error.permanent, error.outcome_unknown) == (True, False, False)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_error_of_the_server_is_doubtful(each, status):
    error = failure(each, response({"message": "sorry"}, status))

    assert (error.outcome_unknown, error.permanent, error.retry_after) == (True, False, None)


@pytest.mark.parametrize("status", [200, 302, 403, 404, 502])
def test_a_page_of_a_proxy_says_nothing_about_the_service(each, status):
    error = failure(each, response("\n<html>Blocked by the firewall</html>", status, content_type="text/html"))

    assert isinstance(error, UnreadableResponse)
    assert not error.permanent


@pytest.mark.parametrize("answer", [SILENT, TRICKLING_HEAD, HUNG_UP], ids=["silent", "trickling", "hung up"])
@pytest.mark.parametrize("name", list(SERVICES))
def test_a_delivery_without_a_status_is_doubtful(name, answer):
    with played(name, seconds=0.3) as it:
        error = failure(it, answer)

    assert (error.outcome_unknown, error.permanent) == (True, False)


def test_a_cut_response_is_doubtful_or_accepted(each):
    if each.channel.name in {"alertmanager", "grafana_irm"}:
        each.service.faults.append(CUT)
        each.step(OPEN)
        return
    assert failure(each, CUT).outcome_unknown


def test_a_server_that_is_away_has_got_nothing(each):
    each.server.shutdown()
    each.server.server_close()

    error = failure(each)

    assert (error.outcome_unknown, error.permanent) == (False, False)
    assert "cannot be reached" in str(error)


def test_no_error_shows_a_secret(each):
    POLICY.add_secrets({"A_SECRET": "canary-of-a-channel"})

    error = failure(each, response({"message": "the key canary-of-a-channel is wrong"}, 401))

    POLICY.clear_secrets()
    assert "the key [hidden A_SECRET] is wrong" in str(error)
