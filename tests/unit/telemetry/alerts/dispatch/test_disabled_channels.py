"""A channel is disabled only by its own word, and tried again every few minutes."""

import httpx
import pytest

from telemetry.alerts.channels.channel import MAX_UNREADABLE_RESPONSES, PROBE_INTERVAL, Sent, UnreadableResponse
from telemetry.alerts.dispatch.fallback import FALLBACK_INTERVAL, FallbackNotifier
from tests.support.telegram_server import StrictTelegram
from tests.unit.telemetry.alerts.conftest import alert

HOUR = 3600.0
PAGE = "<html><h1>Access to this resource is blocked</h1></html>"
UNAUTHORIZED = {"ok": False, "error_code": 401, "description": "Unauthorized"}
FORBIDDEN = {"ok": False, "error_code": 403, "description": "Forbidden: bot was kicked from the supergroup chat"}
FOREIGN = {
    "page 400": httpx.Response(400, text=PAGE),
    "page 401": httpx.Response(401, text=PAGE, headers={"www-authenticate": "Basic"}),
    "page 403": httpx.Response(403, text=PAGE),
    "page 404": httpx.Response(404, text=PAGE),
    "page 405": httpx.Response(405, text=PAGE),
    "page 407": httpx.Response(407, text=PAGE),
    "page 410": httpx.Response(410, text=PAGE),
    "page 451": httpx.Response(451, text=PAGE),
    "page 498": httpx.Response(498, text=PAGE),
    "empty": httpx.Response(403),
    "other json": httpx.Response(403, json={"message": "Forbidden", "code": 403}),
    "a list": httpx.Response(403, json=[FORBIDDEN]),
    "no description": httpx.Response(403, json={"ok": False}),
    "a description that is no text": httpx.Response(403, json={"ok": False, "description": {"ru": "no"}}),
    "another code": httpx.Response(403, json={"ok": False, "error_code": 502, "description": "no route"}),
    "a code that is no number": httpx.Response(403, json={"ok": False, "error_code": "blocked", "description": "no"}),
    "chat not found of a proxy": httpx.Response(404, text="chat not found"),
    "compressed": httpx.Response(403, content=b"\x1f\x8b", headers={"content-encoding": "x-gzip"}),
}


class Gate(httpx.BaseTransport):
    """Answers in place of the server behind it until it is opened."""

    def __init__(self, behind, answer):
        self.behind = behind
        self.answer = answer
        self.methods = []

    def handle_request(self, request):
        self.methods.append(request.url.path.rpartition("/")[2])
        if self.answer is None:
            return self.behind.handle_request(request)
        return httpx.Response(self.answer.status_code, headers=self.answer.headers, stream=self.answer.stream)


class Hook(httpx.BaseTransport):
    def __init__(self):
        self.bodies = []

    def handle_request(self, request):
        self.bodies.append(request.read())
        return httpx.Response(204)


@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_an_answer_that_is_not_telegram_s_disables_nothing_and_the_alert_arrives_when_it_has_passed(
    make_machine, telegram, clock, answer
):
    gate = Gate(telegram, answer)
    machine = make_machine(gate)
    machine.report(alert())
    machine.run(20)
    assert machine.notifications.channel("telegram").disabled_reason is None
    gate.answer = None

    machine.run(60)

    assert len(telegram.texts) == 1
    assert machine.notifications.channel("telegram").failures == 0


@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_one_that_lasts_leaves_the_alerts_to_the_second_channel_and_telegram_comes_back_by_itself(
    make_machine, make_webhook, telegram, clock, answer
):
    gate, hook = Gate(telegram, answer), Hook()
    machine = make_machine(gate)
    machine.channels.append(make_webhook(hook))
    machine.report(alert("a"))
    machine.run(HOUR, step=60)
    assert gate.methods.count("sendMessage") == MAX_UNREADABLE_RESPONSES
    assert len(hook.bodies) == 1
    gate.answer = None

    machine.run(PROBE_INTERVAL + 60, step=60)
    assert machine.notifications.channel("telegram").disabled_reason is None
    machine.report(alert("b", at=clock()))
    machine.run(5)

    assert len(hook.bodies) == 1
    assert [text.splitlines()[-1] for text in telegram.texts] == ["b failed"]


@pytest.mark.parametrize("body", [UNAUTHORIZED, FORBIDDEN], ids=["401", "403"])
def test_a_refusal_of_telegram_that_passes_is_noticed_within_five_minutes_without_a_restart(
    make_machine, telegram, caplog, body
):
    gate = Gate(telegram, httpx.Response(body["error_code"], json=body))
    machine = make_machine(gate)
    machine.report(alert())
    machine.run(HOUR, step=5)
    assert gate.methods == ["sendMessage"] + ["getChat"] * 11
    assert [each.split(": ")[0] for each in caplog.messages] == ["Alerts can't be sent"]
    gate.answer = None

    machine.run(PROBE_INTERVAL + 10, step=5)

    assert len(telegram.texts) == 1
    assert machine.notifications.channel("telegram").disabled_reason is None


def test_a_chat_that_can_be_asked_but_not_written_to_is_disabled_all_the_same(make_machine, telegram, clock, caplog):
    class Muted(httpx.BaseTransport):
        sends = 0

        def handle_request(self, request):
            if request.url.path.endswith("getChat"):
                return telegram.handle_request(request)
            self.sends += 1
            return httpx.Response(403, json=FORBIDDEN)

    muted = Muted()
    machine = make_machine(muted)
    machine.report(alert())

    machine.run(HOUR, step=5)

    assert muted.sends == 12
    assert machine.notifications.channel("telegram").disabled_reason
    assert len([each for each in caplog.messages if "can't be sent" in each]) == 1


def test_a_webhook_that_refused_is_tried_again_with_the_alert_itself(make_machine, make_webhook, clock):
    hook = Hook()
    gate = Gate(hook, httpx.Response(403))
    machine = make_machine(gate)
    machine.channels[:] = [make_webhook(gate)]
    machine.report(alert())
    machine.run(HOUR, step=5)
    assert len(gate.methods) == 12
    gate.answer = None

    machine.run(PROBE_INTERVAL + 10, step=5)

    assert len(hook.bodies) == 1


def test_a_probe_that_is_told_to_wait_waits(make_machine, telegram):
    gate = Gate(telegram, httpx.Response(401, json=UNAUTHORIZED))
    machine = make_machine(gate)
    machine.report(alert())
    machine.run(10)
    gate.answer = httpx.Response(429, json={"ok": False, "parameters": {"retry_after": 2000}})

    machine.run(HOUR, step=5)

    assert gate.methods == ["sendMessage", "getChat", "getChat"]


def test_the_probes_go_on_after_the_clock_was_set_back(make_machine, clock):
    telegram = StrictTelegram(clock, telegram_limits=False)  # its limits go by the same clock
    gate = Gate(telegram, httpx.Response(401, json=UNAUTHORIZED))
    machine = make_machine(gate)
    machine.report(alert())
    machine.run(HOUR, step=5)
    gate.answer = None
    clock.forward(-24 * HOUR)

    machine.run(2 * PROBE_INTERVAL, step=5)

    assert len(telegram.texts) == 1


def test_a_process_that_starts_tries_at_once(make_machine, telegram, clock):
    gate = Gate(telegram, httpx.Response(401, json=UNAUTHORIZED))
    machine = make_machine(gate)
    machine.report(alert())
    machine.run(10)
    gate.answer = None

    machine.dispatcher.release()
    machine.start()
    machine.run(5)

    assert len(telegram.texts) == 1


@pytest.mark.parametrize("reason", ["TOPIC_CLOSED", "TOPIC_DELETED", "message thread not found", "TOPIC_ID_INVALID"])
def test_a_closed_topic_is_left_out_like_a_deleted_one(make_machine, telegram, reason):
    class Closed(httpx.BaseTransport):
        refused = 0

        def handle_request(self, request):
            if b"message_thread_id" not in request.read():
                return telegram.handle_request(request)
            self.refused += 1
            return httpx.Response(400, json={"ok": False, "error_code": 400, "description": f"Bad Request: {reason}"})

    closed = Closed()
    machine = make_machine(closed, thread_id=12)
    machine.report(alert("a"), alert("b", summary="и" * 10_000))

    machine.run(10)

    assert closed.refused == 1
    assert [text.splitlines()[0] for text in telegram.texts] == [
        "❌ ERROR",
        "❌ ERROR",
        "The rest of the message before.",
    ]
    assert machine.notifications.channel("telegram").plain_texts == 0


def test_an_edit_in_a_closed_topic_is_given_up_and_disables_nothing(make_machine, telegram, clock):
    closed = {"ok": False, "error_code": 400, "description": "Bad Request: TOPIC_CLOSED"}

    class Closed(httpx.BaseTransport):
        def handle_request(self, request):
            is_edit = request.url.path.endswith("editMessageText")
            return httpx.Response(400, json=closed) if is_edit else telegram.handle_request(request)

    machine = make_machine(Closed(), thread_id=12)
    machine.report(alert("a"))
    machine.run(5)
    machine.report(alert("a", at=clock()))
    machine.run(2 * 60)

    machine.report(alert("b", at=clock()))
    machine.run(5)

    assert [each.thread_id for each in telegram.fake._messages] == [12, 12]
    assert machine.notifications.channel("telegram").disabled_reason is None


def test_a_file_that_a_proxy_finds_too_large_does_not_stand_in_the_way(make_machine, telegram, clock):
    class Small(httpx.BaseTransport):
        def handle_request(self, request):
            is_large = len(request.read()) > 2**16
            return httpx.Response(413, text=PAGE) if is_large else telegram.handle_request(request)

    machine = make_machine(Small())
    machine.report(alert("a", stack="Traceback\n" * 50_000))
    machine.run(10)
    machine.report(alert("b", at=clock()))
    machine.run(10)

    assert [text.splitlines()[0] for text in telegram.texts] == ["❌ ERROR", "❌ ERROR"]


def test_without_the_outbox_a_channel_of_unreadable_responses_is_used_again_when_a_probe_finds_it_well(clock):
    class Recovering:
        name = "recovering"
        is_well = False
        sends = probes = 0

        def send(self, _notification, _message, state):
            self.sends += 1
            self._answer()
            return Sent(1, state)

        def probe(self, state):
            self.probes += 1
            self._answer()
            return state

        def _answer(self):
            if not self.is_well:
                raise UnreadableResponse("telegram", 403)

    channel = Recovering()
    fallback = FallbackNotifier([channel], clock)
    for _ in range(30):
        assert not fallback.send([(alert(), 1)])
        clock.forward(FALLBACK_INTERVAL)
    assert (channel.sends, channel.probes) == (MAX_UNREADABLE_RESPONSES, 5)
    channel.is_well = True

    for _ in range(5):
        fallback.send([(alert(), 1)])
        clock.forward(FALLBACK_INTERVAL)

    assert channel.sends > MAX_UNREADABLE_RESPONSES
