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
from tests.support.telegram_server import TELEGRAM_TOKEN
from tests.unit.telemetry.alerts.conftest import alert, incident

MESSAGE = Message("<b>no</b>", "no")
POST = Notification("alert", [incident()], id=1, message_id=5)
FRESH = ChannelState("telegram")


def answering(*answers):
    """A transport that gives one answer after the other, and keeps what it was asked."""
    left, asked = list(answers), []

    def handle(request):
        asked.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), asked


def telegram(*answers):
    transport, asked = answering(*answers)
    return Telegram(Bot(SecretStr(TELEGRAM_TOKEN), "-100"), httpx.Client(transport=transport)), asked


def refused(status, description, **parameters):
    return httpx.Response(status, json={"ok": False, "description": description, "parameters": parameters})


SENT = httpx.Response(200, json={"ok": True, "result": {"message_id": 7}})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused(429, "Too Many Requests: retry after 17", retry_after=17), {"retry_after": 17}),
        (httpx.Response(429, headers={"retry-after": "9"}, text="slow down"), {"retry_after": 9}),
        (httpx.Response(429, text="slow down"), {"retry_after": 5}),
        (refused(401, "Unauthorized"), {"is_final": True}),
        (refused(403, "Forbidden: bot was blocked by the user"), {"is_final": True}),
        (refused(404, "Not Found"), {"is_final": True}),
        (refused(400, "Bad Request: chat not found"), {"is_final": True}),
        (httpx.Response(502, text="<html>"), {"is_doubtful": True}),
        (httpx.ReadTimeout("timed out"), {"is_doubtful": True}),
        (httpx.ConnectError("refused"), {}),
    ],
)
def test_what_telegram_answers_says_whether_to_try_again(answer, kind):
    channel, _asked = telegram(answer)

    with pytest.raises(ChannelError) as raised:
        channel.send(POST, MESSAGE, FRESH)

    error = raised.value
    expected = {"retry_after": None, "is_final": False, "is_doubtful": False, "is_about_message": False} | kind
    assert {name: getattr(error, name) for name in expected} == expected
    assert TELEGRAM_TOKEN not in str(error)


def test_markup_that_is_refused_is_sent_as_plain_text_once_and_counted():
    channel, asked = telegram(refused(400, "Bad Request: can't parse entities: Unsupported start tag"), SENT)

    sent = channel.send(POST, MESSAGE, FRESH)

    assert (sent.message_id, sent.state.plain_texts) == (7, 1)
    assert b"parse_mode" not in asked[1].content


def test_a_message_that_is_refused_in_every_form_does_not_stand_in_the_way_of_others():
    channel, asked = telegram(refused(400, "Bad Request: no"), refused(400, "Bad Request: no"), SENT)

    sent = channel.send(POST, MESSAGE, FRESH)

    assert sent.message_id == 7
    assert "GET /alerts shows it" in asked[2].content.decode()


def test_who_takes_no_message_at_all_is_no_channel():
    channel, _asked = telegram(*[refused(400, "Bad Request: no")] * 3)

    with pytest.raises(ChannelError) as raised:
        channel.send(POST, MESSAGE, FRESH)

    assert raised.value.is_about_message


def test_an_edit_that_changes_nothing_is_done_and_one_of_a_deleted_message_says_so():
    channel, _asked = telegram(refused(400, "Bad Request: message is not modified: it is the same"))
    assert channel.edit(POST, MESSAGE, FRESH) == FRESH

    gone, _asked = telegram(refused(400, "Bad Request: message to edit not found"))
    with pytest.raises(MessageGone):
        gone.edit(POST, MESSAGE, FRESH)

    failing, _asked = telegram(refused(401, "Unauthorized"))
    with pytest.raises(ChannelError):
        failing.edit(POST, MESSAGE, FRESH)


def test_a_group_that_moves_again_and_again_is_not_followed_for_ever():
    moves = [refused(400, "upgraded", migrate_to_chat_id=-number) for number in range(1, 9)]
    channel, asked = telegram(*moves)

    with pytest.raises(ChannelError):
        channel.send(POST, MESSAGE, FRESH)

    assert len(asked) == 5


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(429), "retry_after"),
        (httpx.Response(410), "is_final"),
        (httpx.Response(503), "is_doubtful"),
        (httpx.Response(302), "is_doubtful"),
        (httpx.ReadTimeout("timed out"), "is_doubtful"),
    ],
)
def test_what_a_webhook_answers_says_whether_to_try_again(answer, kind):
    transport, _asked = answering(answer)
    hook = Webhook(SecretStr("http://hook.test/secret"), httpx.Client(transport=transport))

    with pytest.raises(ChannelError) as raised:
        hook.send(POST, MESSAGE, ChannelState("webhook"))

    assert getattr(raised.value, kind)
    assert "secret" not in str(raised.value)


def test_a_webhook_that_cannot_be_reached_has_not_got_it():
    transport, _asked = answering(httpx.ConnectError("refused"))
    hook = Webhook(SecretStr("http://hook.test"), httpx.Client(transport=transport))

    with pytest.raises(ChannelError) as raised:
        hook.send(POST, MESSAGE, ChannelState("webhook"))

    assert not raised.value.is_doubtful


def test_a_webhook_gets_updates_and_no_files():
    transport, asked = answering(httpx.Response(200), httpx.Response(200))
    hook = Webhook(SecretStr("http://hook.test"), httpx.Client(transport=transport))

    hook.send(POST, MESSAGE, ChannelState("webhook"))
    hook.send(Notification("file", [incident()], id=2), MESSAGE, ChannelState("webhook"))
    hook.edit(POST, MESSAGE, ChannelState("webhook"))

    assert [b'"kind":"alert"' in each.content for each in asked] == [True, False]
    assert b'"kind":"update"' in asked[1].content


class Taker:
    name = "taker"

    def __init__(self, takes):
        self.takes = takes
        self.texts = []

    def send(self, _post, message, state):
        if not self.takes:
            raise ChannelError("no")
        self.texts.append(message.plain)
        return Sent(1, state)


class FullDisk:
    """A desk on a disk that is full."""

    def __init__(self, *alerts):
        self.waiting = [(each, 1) for each in alerts]

    @property
    def unsaved(self):
        return len(self.waiting)

    def flush(self):
        raise sqlite3.OperationalError("database or disk is full")

    def drain_unsaved(self):
        taken, self.waiting = self.waiting, []
        return taken

    def restore_unsaved(self, alerts):
        self.waiting = alerts


@pytest.mark.parametrize("takes", [True, False])
def test_what_the_disk_does_not_take_for_a_while_is_told_without_it(clock, takes):
    taker, desk = Taker(takes), FullDisk(alert("a"), alert("b"))
    sending = DispatchWorker(desk, None, FallbackNotifier([taker], clock), lambda: 0)

    for _ in range(30):
        with pytest.raises(sqlite3.OperationalError):
            sending.round()
        clock.forward(1)

    assert (len(taker.texts), desk.unsaved) == ((1, 0) if takes else (0, 2))
    assert not takes or "2 alerts" in taker.texts[0]
