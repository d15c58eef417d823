"""Messages whose delivery is unknown: sent again, marked, and not for ever."""

import httpx
import pytest

from telemetry.alerts.channels.channel import MAX_UNREADABLE_RESPONSES, ChannelError, UnreadableResponse
from telemetry.alerts.dispatch.fallback import FALLBACK_INTERVAL, FallbackNotifier
from tests.unit.telemetry.alerts.conftest import alert

HOUR = 3600.0
HTML = httpx.Response(200, text="<html>Welcome to the hotel</html>")
SENT = httpx.Response(200, json={"ok": True, "result": {"message_id": 7}})
NOTICE = b"Possible duplicate"
ODD_WAITS = ["Infinity", "NaN", "1e15", "1e400", "-1", "true", "null", '"soon"', '"Fri, 31 Dec 9999 23:59:59 GMT"']


class Scripted(httpx.BaseTransport):
    """Gives the answers in order, and the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.bodies = []
        self.messages = []

    def handle_request(self, request):
        self.bodies.append(request.read())
        self.messages += [] if request.url.path.endswith("getChat") else self.bodies[-1:]
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize("answer", [HTML, httpx.Response(302, headers={"location": "http://other.test"})])
def test_unreadable_responses_stop_the_channel_and_nothing_is_lost(make_machine, clock, answer):
    telegram = Scripted(answer)
    machine = make_machine(telegram)
    machine.report(alert())

    machine.run(6 * HOUR, step=120)

    assert len(telegram.messages) == MAX_UNREADABLE_RESPONSES
    assert [NOTICE in body for body in telegram.messages] == [False] + [True] * (MAX_UNREADABLE_RESPONSES - 1)
    assert "unreadable" in machine.notifications.channel("telegram").disabled_reason
    assert machine.queries.counts(clock()).pending == 1


def test_an_alert_that_telegram_responses_unreadably_goes_to_the_second_channel(make_machine, make_webhook):
    telegram, hook = Scripted(HTML), Scripted(httpx.Response(204))
    machine = make_machine(telegram)
    machine.channels.append(make_webhook(hook))
    machine.report(alert())

    machine.run(HOUR, step=30)

    assert len(telegram.messages) == MAX_UNREADABLE_RESPONSES
    assert [b'"possible_duplicate":true' in body for body in hook.bodies] == [True]


def test_a_message_that_is_accepted_resets_the_count(make_machine, clock):
    rarely = [*[HTML] * (MAX_UNREADABLE_RESPONSES - 1), SENT]
    telegram = Scripted(*rarely * 3, SENT)
    machine = make_machine(telegram)

    for name in ("a", "b", "c"):
        machine.report(alert(name, at=clock()))
        machine.run(HOUR, step=30)

    assert len(telegram.bodies) == 3 * MAX_UNREADABLE_RESPONSES
    assert machine.queries.counts(clock()).pending == 0


@pytest.mark.parametrize("sent_id", ["1180591620717411303424", "-7", "true", "1e400", "NaN", '"7"', "null"])
def test_an_odd_message_id_is_a_delivery_all_the_same(make_machine, clock, sent_id):
    telegram = Scripted(httpx.Response(200, text=f'{{"ok": true, "result": {{"message_id": {sent_id}}}}}'))
    machine = make_machine(telegram)
    machine.report(alert())

    machine.run(HOUR, step=120)

    assert len(telegram.bodies) == 1
    assert machine.queries.counts(clock()).pending == 0


@pytest.mark.parametrize("wait", ODD_WAITS)
def test_an_odd_wait_delays_the_alerts_by_a_day_at_most(make_machine, clock, wait):
    slow = httpx.Response(429, text=f'{{"ok": false, "parameters": {{"retry_after": {wait}}}}}')
    telegram = Scripted(slow, SENT)
    machine = make_machine(telegram)
    machine.report(alert())

    machine.run(25 * HOUR, step=900)

    assert len(telegram.bodies) == 2
    assert machine.queries.counts(clock()).pending == 0


def test_the_words_of_a_refusal_can_be_kept(make_machine, clock):
    refused = httpx.Response(500, text='{"ok": false, "description": "\\ud800\\u0000"}')
    forbidden = httpx.Response(403, text='{"ok": false, "description": "\\ud800\\u0000"}')
    machine = make_machine(Scripted(refused, forbidden))
    machine.report(alert())

    machine.run(60, step=1)

    assert machine.notifications.channel("telegram").disabled_reason


class Doubtful:
    name = "doubtful"

    def __init__(self, error):
        self.error = error
        self.sent = []

    def send(self, notification, message, _state):
        self.sent.append((notification.possible_duplicate, NOTICE.decode() in message.plain))
        raise self.error

    def probe(self, _state):
        raise self.error


@pytest.mark.parametrize(
    ("error", "marked", "sends"),
    [
        (UnreadableResponse("telegram", 200), True, MAX_UNREADABLE_RESPONSES),
        (ChannelError("late", outcome_unknown=True), True, 20),
        (ChannelError("cannot be reached"), False, 20),
    ],
)
def test_without_the_outbox_a_doubtful_message_is_marked_and_an_unreadable_response_bounded(
    clock, error, marked, sends
):
    channel = Doubtful(error)
    fallback = FallbackNotifier([channel], clock)

    for _ in range(20):
        assert not fallback.send([(alert(), 1)])
        clock.forward(FALLBACK_INTERVAL)

    assert channel.sent == [(False, False)] + [(marked, marked)] * (sends - 1)
