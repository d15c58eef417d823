"""The Apprise channel, with Apprise's plain JSON service on loopback."""

import logging
import time

import pytest

from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident_channels.apprise_channel import AppriseChannel
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.rendering.message import Message
from tests.support.loopback import SILENT, loopback, response
from tests.unit.telemetry.alerts.incident_channels.conftest import event
from tests.unit.telemetry.alerts.incident_channels.test_incident_channels import HANG, ODD_TEXTS

pytest.importorskip("apprise")
OPEN, _, _, RESOLVE = IncidentStep
ACCEPTED = response("ok")


@pytest.fixture
def server():
    with loopback() as server:
        yield server


def channel_to(server, *paths, seconds=10.0):
    return AppriseChannel([f"json://127.0.0.1:{server.server_port}/{path}" for path in paths], seconds)


def test_an_incident_is_a_message_at_its_beginning_and_another_one_at_its_end(server):
    server.enqueue(ACCEPTED, ACCEPTED)
    channel = channel_to(server, "a")

    channel.deliver(event(OPEN))
    channel.deliver(event(RESOLVE, message=Message("", "✅ RESOLVED")))

    assert [(each.body["title"], each.body["message"], each.body["type"]) for each in server.requests] == [
        ("ERROR: shop: shop failed", "❌ ERROR\nshop failed", "failure"),
        ("RESOLVED: shop: shop failed", "✅ RESOLVED", "success"),
    ]
    assert channel.steps == {OPEN, RESOLVE}
    assert channel.probe() is None


def test_a_refusal_is_doubtful_since_apprise_does_not_say_why(server, caplog):
    server.enqueue(response("slow down", 429, retry_after="7"))

    with pytest.raises(ChannelError) as raised:
        channel_to(server, "secret-canary").deliver(event())

    error = raised.value
    assert (error.outcome_unknown, error.permanent, error.retry_after) == (True, False, None)
    assert str(error) == "apprise: service 1 of 1 did not accept the message"
    assert "secret-canary" not in caplog.text


def test_a_retry_leaves_out_the_services_that_have_accepted_the_message(server):
    server.enqueue(ACCEPTED, response("no", 500), ACCEPTED, ACCEPTED, ACCEPTED)
    channel = channel_to(server, "a", "b")

    with pytest.raises(ChannelError, match="service 2 of 2"):
        channel.deliver(event())
    channel.deliver(event())
    channel.deliver(event(fingerprint="another"))

    assert server.paths == ["/a", "/b", "/b", "/a", "/b"]


def test_no_service_holds_a_message_up_beyond_its_deadline(server):
    server.enqueue(SILENT)
    began = time.monotonic()

    with pytest.raises(ChannelError, match="did not answer in time") as raised:
        channel_to(server, "a", seconds=0.3).deliver(event())

    assert raised.value.outcome_unknown
    assert time.monotonic() - began < HANG


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_texts_are_accepted(server, text):
    server.enqueue(ACCEPTED)

    channel_to(server, "a").deliver(event(summary=text, component=text, message=Message(text, text)))

    assert len(server.requests) == 1


def test_the_logger_of_apprise_which_writes_urls_is_off(server):
    channel_to(server, "a")

    assert logging.getLogger("apprise").disabled


def test_a_url_that_a_newer_apprise_does_not_know_disables_the_channel():
    with pytest.raises(ChannelError) as raised:
        AppriseChannel(["nothing://secret-canary"]).deliver(event())

    assert raised.value.permanent
    assert "secret-canary" not in str(raised.value)
