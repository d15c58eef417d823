import json
import sqlite3

import httpx
import pytest
from pydantic import SecretStr

from telemetry.alerts.channels.channel import ChannelError, MessageGone, Sent
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.dispatch.fallback import FallbackNotifier
from telemetry.alerts.dispatch.worker import DispatchWorker
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from telemetry.environment.runbook import Runbook
from tests.support.telegram_server import TELEGRAM_TOKEN
from tests.unit.telemetry.alerts.conftest import alert, incident

MESSAGE = Message("<b>no</b>", "no")
NOTIFICATION = Notification("alert", [incident()], id=1, message_id=5)
FRESH = ChannelState("telegram")


def transport_answering(*answers):
    """A transport that gives one answer after the other, and the list of its requests."""
    responses, requests = list(answers), []

    def handle(request):
        requests.append(request)
        answer = responses.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), requests


def telegram(*answers):
    transport, requests = transport_answering(*answers)
    return Telegram(Bot(SecretStr(TELEGRAM_TOKEN), "-100"), httpx.Client(transport=transport)), requests


def refused(status, description, **parameters):
    return httpx.Response(
        status, json={"ok": False, "error_code": status, "description": description, "parameters": parameters}
    )


SENT = httpx.Response(200, json={"ok": True, "result": {"message_id": 7}})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(429, "Too Many Requests: retry after 17", retry_after=17), {"retry_after": 17}),
        (httpx.Response(429, headers={"retry-after": "9"}, text="slow down"), {"retry_after": 9}),
        (httpx.Response(429, text="slow down"), {"retry_after": 5}),
        (refused(401, "Unauthorized"), {"permanent": True}),
        (refused(403, "Forbidden: bot was blocked by the user"), {"permanent": True}),
        (refused(404, "Not Found"), {"permanent": True}),
        (refused(400, "Bad Request: chat not found"), {"permanent": True}),
        (httpx.Response(502, text="<html>"), {"outcome_unknown": True}),
        (httpx.ReadTimeout("timed out"), {"outcome_unknown": True}),
        (httpx.ConnectError("refused"), {}),
    ],
)
def test_what_telegram_responses_says_whether_to_try_again(answer, kind):
    channel, _asked = telegram(answer)

    with pytest.raises(ChannelError) as raised:
        channel.send(NOTIFICATION, MESSAGE, FRESH)

    error = raised.value
    expected = {"retry_after": None, "permanent": False, "outcome_unknown": False, "message_rejected": False} | kind
    assert {name: getattr(error, name) for name in expected} == expected
    assert TELEGRAM_TOKEN not in str(error)


def test_markup_that_is_refused_is_sent_as_plain_text_once_and_counted():
    channel, requests = telegram(refused(400, "Bad Request: can't parse entities: Unsupported start tag"), SENT)

    sent = channel.send(NOTIFICATION, MESSAGE, FRESH)

    assert (sent.message_id, sent.state.plain_texts) == (7, 1)
    assert b"parse_mode" not in requests[1].content


def test_a_message_that_is_refused_in_every_form_does_not_stand_in_the_way_of_others():
    channel, requests = telegram(refused(400, "Bad Request: no"), refused(400, "Bad Request: no"), SENT)

    sent = channel.send(NOTIFICATION, MESSAGE, FRESH)

    assert sent.message_id == 7
    assert "GET /alerts shows it" in requests[2].content.decode()


def test_who_takes_no_message_at_all_is_no_channel():
    channel, _asked = telegram(*[refused(400, "Bad Request: no")] * 3)

    with pytest.raises(ChannelError) as raised:
        channel.send(NOTIFICATION, MESSAGE, FRESH)

    assert raised.value.message_rejected


def test_an_edit_that_changes_nothing_is_done_and_one_of_a_deleted_message_says_so():
    channel, _asked = telegram(refused(400, "Bad Request: message is not modified: it is the same"))
    assert channel.edit(NOTIFICATION, MESSAGE, FRESH) == FRESH

    gone, _asked = telegram(refused(400, "Bad Request: message to edit not found"))
    with pytest.raises(MessageGone):
        gone.edit(NOTIFICATION, MESSAGE, FRESH)

    failing, _asked = telegram(refused(401, "Unauthorized"))
    with pytest.raises(ChannelError):
        failing.edit(NOTIFICATION, MESSAGE, FRESH)


def test_a_group_that_moves_again_and_again_is_not_followed_for_ever():
    moves = [refused(400, "upgraded", migrate_to_chat_id=-number) for number in range(1, 9)]
    channel, requests = telegram(*moves)

    with pytest.raises(ChannelError):
        channel.send(NOTIFICATION, MESSAGE, FRESH)

    assert len(requests) == 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(429), "retry_after"),
        (httpx.Response(410), "permanent"),
        (httpx.Response(503), "outcome_unknown"),
        (httpx.Response(302), "outcome_unknown"),
        (httpx.ReadTimeout("timed out"), "outcome_unknown"),
    ],
)
def test_what_a_webhook_answers_says_whether_to_try_again(answer, kind):
    transport, _asked = transport_answering(answer)
    hook = Webhook(SecretStr("http://hook.test/secret"), httpx.Client(transport=transport))

    with pytest.raises(ChannelError) as raised:
        hook.send(NOTIFICATION, MESSAGE, ChannelState("webhook"))

    assert getattr(raised.value, kind)
    assert "secret" not in str(raised.value)


def test_a_webhook_gets_the_address_of_the_section_of_the_runbook():
    transport, asked = transport_answering(httpx.Response(200), httpx.Response(200))
    client, url = httpx.Client(transport=transport), SecretStr("http://hook.test/secret")

    for hook in (Webhook(url, client, runbook=Runbook("https://wiki.example")), Webhook(url, client)):
        hook.send(NOTIFICATION, MESSAGE, ChannelState("webhook"))

    told = [json.loads(request.content)["alerts"][0]["runbook_url"] for request in asked]
    assert told == ["https://wiki.example#message-an-error-of-a-library", None]


def test_a_webhook_that_cannot_be_reached_has_not_got_it():
    transport, _asked = transport_answering(httpx.ConnectError("refused"))
    hook = Webhook(SecretStr("http://hook.test"), httpx.Client(transport=transport))

    with pytest.raises(ChannelError) as raised:
        hook.send(NOTIFICATION, MESSAGE, ChannelState("webhook"))

    assert not raised.value.outcome_unknown


def test_a_webhook_gets_updates_and_no_files():
    transport, requests = transport_answering(httpx.Response(200), httpx.Response(200))
    hook = Webhook(SecretStr("http://hook.test"), httpx.Client(transport=transport))

    hook.send(NOTIFICATION, MESSAGE, ChannelState("webhook"))
    hook.send(Notification("file", [incident()], id=2), MESSAGE, ChannelState("webhook"))
    hook.edit(NOTIFICATION, MESSAGE, ChannelState("webhook"))

    assert [b'"kind":"alert"' in each.content for each in requests] == [True, False]
    assert b'"kind":"update"' in requests[1].content


class FakeChannel:
    name = "fake"

    def __init__(self, accepts):
        self.accepts = accepts
        self.texts = []

    def send(self, _post, message, state):
        if not self.accepts:
            raise ChannelError("no")
        self.texts.append(message.plain)
        return Sent(1, state)


class FullDisk:
    """A deduplicator on a disk that is full."""

    def __init__(self, *alerts):
        self.alerts = [(each, 1) for each in alerts]

    @property
    def unsaved(self):
        return len(self.alerts)

    def flush(self):
        raise sqlite3.OperationalError("database or disk is full")

    def drain_unsaved(self):
        taken, self.alerts = self.alerts, []
        return taken

    def keep_notified(self, alerts, channel):
        assert channel == "fake"

    def restore_unsaved(self, alerts):
        self.alerts = alerts


@pytest.mark.parametrize("accepts", [True, False])
def test_what_the_disk_does_not_take_for_a_while_is_told_without_it(clock, accepts):
    channel, deduplicator = FakeChannel(accepts), FullDisk(alert("a"), alert("b"))
    worker = DispatchWorker(deduplicator, None, FallbackNotifier([channel], clock), lambda: 0)

    for _ in range(30):
        with pytest.raises(sqlite3.OperationalError):
            worker.save()
        worker.send()
        clock.forward(1)

    assert (len(channel.texts), deduplicator.unsaved) == ((1, 0) if accepts else (0, 2))
    assert not accepts or "2 alerts" in channel.texts[0]
