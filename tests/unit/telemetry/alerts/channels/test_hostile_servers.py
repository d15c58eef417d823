"""Channels against servers that are slow, endless, or answer what Telegram never would."""

import json
import time

import pytest
from pydantic import SecretStr

from telemetry.alerts.channels import http_call
from telemetry.alerts.channels.channel import ChannelError, UnreadableResponse
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.dispatch.dispatcher import LEASE_SECONDS
from telemetry.alerts.notification import Notification
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.rendering.message import Message
from tests.support.loopback import (
    CUT,
    SILENT,
    STALLED,
    TRICKLING,
    TRICKLING_HEAD,
    endless_response,
    loopback,
    raw_response,
    response,
)
from tests.support.telegram_server import TELEGRAM_TOKEN
from tests.unit.telemetry.alerts.conftest import incident

MESSAGE = Message("<b>no</b>", "no")
NOTIFICATION = Notification("alert", [incident()], id=1, message_id=5)
HANG = 8.0
"""Seconds that only a send without a deadline takes: a trickling response of the tests takes 20."""


@pytest.fixture
def server():
    with loopback() as server:
        yield server


@pytest.fixture
def telegram(server):
    channel = Telegram(Bot(SecretStr(TELEGRAM_TOKEN), "-100", api_url=server.url), seconds=0.3)
    yield channel
    channel.close()


@pytest.fixture
def webhook(server):
    channel = Webhook(SecretStr(f"{server.url}/secret"), seconds=0.3)
    yield channel
    channel.close()


def send(channel):
    return channel.send(NOTIFICATION, MESSAGE, ChannelState(channel.name))


def failure(channel):
    """The error of a send, which does not hang."""
    began = time.monotonic()
    with pytest.raises(ChannelError) as raised:
        send(channel)
    assert time.monotonic() - began < HANG
    return raised.value


def test_a_send_is_shorter_than_the_lease_of_the_process_that_sends():
    assert http_call.SEND_SECONDS == 20.0 < LEASE_SECONDS
    assert http_call.MAX_ANSWER_BYTES == 2**20


@pytest.mark.parametrize("answer", [SILENT, TRICKLING_HEAD], ids=["silent", "trickling head"])
@pytest.mark.parametrize("name", ["telegram", "webhook"])
def test_a_channel_without_a_status_by_the_deadline_is_a_possible_duplicate(server, request, name, answer):
    server.enqueue(answer)

    error = failure(request.getfixturevalue(name))

    assert error.outcome_unknown
    assert not isinstance(error, UnreadableResponse)


UNREADABLE = {
    "trickling": TRICKLING,
    "stalled": STALLED,
    "endless": endless_response,
    "cut": CUT,
    "html": response("<html>Welcome to the hotel</html>"),
    "half": response('{"ok": true, "result": {'),
    "empty": response(""),
    "no content": response(status=204),
    "no result": response({"ok": True}),
    "result is null": response({"ok": True, "result": None}),
    "result is text": response({"ok": True, "result": "sent"}),
    "not ok": response({"ok": False}),
    "list": response([1]),
    "nested": response("[" * 500_000),
    "long number": response('{"ok": true, "result": {"message_id": ' + "9" * 5000 + "}}"),
    "not UTF-8": response(b'{"ok": true, "result": {"title": "\xff"}}'),
    "gzip": response(b"\x1f\x8b", content_encoding="gzip"),
    "larger than a megabyte": response({"ok": True, "result": {"text": "x" * 2**20}}),
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_a_200_of_telegram_that_cannot_be_read_is_a_possible_duplicate(server, telegram, answer):
    server.enqueue(answer)

    error = failure(telegram)

    assert isinstance(error, UnreadableResponse)
    assert error.outcome_unknown
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
def test_a_webhook_accepts_by_its_status_alone(server, webhook, answer):
    server.enqueue(answer)
    began = time.monotonic()

    assert send(webhook).message_id == 1
    assert time.monotonic() - began < HANG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", ["telegram", "webhook"])
def test_a_redirect_to_another_host_is_not_followed(server, request, name, status):
    with loopback() as other:
        server.enqueue(response(status=status, location=f"{other.url}/elsewhere"))

        assert isinstance(failure(request.getfixturevalue(name)), UnreadableResponse)

        assert other.requests == []


@pytest.mark.parametrize("sent_id", [2**70, 2**63, 0, -1, True, "7", 7.5, None, [7], {"id": 7}])
def test_an_id_that_the_outbox_cannot_hold_is_no_id(server, telegram, sent_id):
    server.enqueue(response({"ok": True, "result": {"message_id": sent_id}}))

    assert send(telegram).message_id is None


@pytest.mark.parametrize("literal", ["Infinity", "NaN", "1e400", "1" + "0" * 400])
def test_a_number_that_is_none_is_no_id_either(server, telegram, literal):
    server.enqueue(response(f'{{"ok": true, "result": {{"message_id": {literal}}}}}'))

    assert send(telegram).message_id is None


@pytest.mark.parametrize(
    ("literal", "seconds"),
    [
        ("17", 17),
        ("1e15", 86_400),
        ("1" + "0" * 400, 86_400),
        ("Infinity", 5),
        ("1e400", 5),
        ("NaN", 5),
        ("-1", 5),
        ("true", 5),
        ("null", 5),
        ('"soon"', 5),
        ('"Fri, 31 Dec 9999 23:59:59 GMT"', 86_400),
    ],
)
def test_a_wait_that_telegram_asks_for_is_a_day_at_most(server, telegram, literal, seconds):
    server.enqueue(response(f'{{"ok": false, "parameters": {{"retry_after": {literal}}}}}', status=429))

    assert failure(telegram).retry_after == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("9", 9),
        ("1e15", 86_400),
        ("inf", None),
        ("nan", None),
        ("-1", None),
        ("soon", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("Thu, 01 Oct 2020 00:00:00 GMT", 0),
    ],
)
def test_a_retry_after_header_is_a_day_at_most_for_both_channels(server, telegram, webhook, header, seconds):
    server.enqueue(*[response("slow down", status=429, retry_after=header)] * 2)

    assert failure(telegram).retry_after == (5 if seconds is None else seconds)
    assert failure(webhook).retry_after == (30 if seconds is None else seconds)


def test_a_429_whose_body_never_ends_is_heeded_all_the_same(server, telegram):
    head = b"HTTP/1.1 429 Too Many\r\nRetry-After: 9\r\nContent-Length: 1000\r\n\r\n"
    server.enqueue(raw_response(head, *[b"x"] * 1000))

    assert failure(telegram).retry_after == 9


@pytest.mark.parametrize("moved", [2**70, "x" * 1000, [1], {"id": 1}, True])
def test_a_new_chat_that_has_no_id_is_not_followed(server, telegram, moved):
    refused = {"ok": False, "description": "upgraded", "parameters": {"migrate_to_chat_id": moved}}
    server.enqueue(*[response(refused, status=400)] * 5)

    failure(telegram)

    assert {str(each.body["chat_id"]) for each in server.requests} == {"-100"}


def test_the_words_of_telegram_can_be_kept(server, telegram):
    server.enqueue(response(json.dumps({"ok": False, "description": "no \ud800\x00"}), status=403))

    assert str(failure(telegram)).encode()


def test_all_calls_of_a_send_share_one_deadline(server, telegram):
    def refuse(_asked):
        time.sleep(0.2)
        return response({"ok": False, "description": "Bad Request: no"}, status=400)

    server.script = refuse
    failure(telegram)

    assert len(server.requests) <= 3
