"""Telegram as a step of the escalation: it gets escalated alerts alone, each once, over kills and faults, with what follows."""

from collections import Counter
from dataclasses import replace
from random import Random

import httpx
import pytest
from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.telegram import Bot, Telegram
from telemetry.alerts.incident_channels.incident_channel import IncidentStep
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from telemetry.alerts.incident_delivery.channel_test_message import incident_for_test
from telemetry.alerts.incident_delivery.due_deliveries import DueDelivery
from telemetry.alerts.incident_delivery.escalated_telegram import EscalatedTelegram
from telemetry.alerts.incident_delivery.incident_event import event_of
from telemetry.alerts.rendering.message import NO_LINKS
from tests.support.telegram_server import FAULTS, NOON, TELEGRAM_CHAT_ID, TELEGRAM_TOKEN, URL, Killed, StrictTelegram
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

AFTER = 900.0
BOT = Bot(SecretStr(TELEGRAM_TOKEN), TELEGRAM_CHAT_ID, api_url=URL)
DISK = alert("disk", state="disk")


@pytest.fixture
def server(clock):
    return StrictTelegram(clock, telegram_limits=True)


@pytest.fixture
def telegram(server, clock):
    return EscalatedTelegram(BOT, NO_LINKS, Telegram(BOT, server.client()), pause=clock.forward)


@pytest.fixture
def machine(make_incident_machine, telegram):
    targets = (Target(Pager("slack")), Target(telegram, AlertLevel.ERROR, escalation_only=True))
    return make_incident_machine(*targets, escalate_after=AFTER, has_chain=False)


def resolved(fired, at):
    return replace(fired, is_resolved=True, at=at, summary="The disk has space again")


def delivery(machine, channel="telegram"):
    record = machine.queries.page(machine.clock())[0]
    return next((each for each in record.deliveries if each.channel == channel), None)


def event(step, remote_id=""):
    incident = incident_for_test("disk", "", NOON, is_resolved=step == "resolve")
    return event_of(DueDelivery(incident, IncidentStep(step), remote_id=remote_id), NO_LINKS, NOON)


def test_only_what_nobody_acknowledges_is_sent_once(machine, server, clock):
    machine.report(DISK, alert("warning", level=AlertLevel.WARNING))
    machine.run(AFTER - 20, pace=5)
    assert server.texts == []

    machine.run(4 * AFTER, pace=5)

    [text] = server.texts
    assert text.startswith("❌ ERROR")
    found = [each for each in machine.queries.page(clock()) if any(d.channel == "telegram" for d in each.deliveries)]
    assert [each.incident.fingerprint for each in found] == ["disk"]
    assert delivery(machine, "telegram") is None  # of the newest, which is the warning


def test_the_message_shows_the_acknowledgement_and_another_one_says_that_it_is_over(machine, server, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    sent = delivery(machine)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(20)
    assert len(server.texts) == 1
    assert "Acknowledged by anna" in server.texts[0]

    machine.report(resolved(DISK, clock()))
    machine.run(20)

    alert_text, end = server.texts
    assert "Acknowledged by anna" in alert_text
    assert "Resolved: The disk has space again" in alert_text
    assert end.startswith("✅ RESOLVED\n")
    over = delivery(machine)
    assert (sent.state, over.state, over.remote_id) == ("open", "resolved", sent.remote_id)
    assert over.escalated_at == sent.escalated_at


def test_what_is_acknowledged_in_time_is_not_sent_nor_is_its_end(machine, server, clock):
    machine.report(DISK)
    machine.run(60, pace=5)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(2 * AFTER, pace=5)
    machine.report(resolved(DISK, clock()))
    machine.run(60, pace=5)

    assert server.texts == []


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.e2e) for seed in range(2, 12))])
def test_faults_and_kills_lose_nothing_and_send_nothing_twice_unmarked(machine, server, clock, seed):
    """A message is there again only after a call without a known outcome; then it says so."""
    chance = Random(seed)
    server.fault = lambda _method: chance.choice((None, None, *FAULTS))
    alerts = [alert(f"disk {number}", state=f"disk {number}") for number in range(3)]
    machine.report(*alerts)
    machine.run(AFTER + 400, pace=1)
    machine.report(*(replace(each, is_resolved=True, at=clock(), summary=f"{each.state} is well") for each in alerts))
    machine.run(300, pace=1)
    server.fault = lambda _method: None
    machine.run(900, pace=1)

    firsts = Counter(text for text in server.texts if "Possible duplicate" not in text)
    ends = {each.state: [text for text in server.texts if f"{each.state} is well" in text] for each in alerts}
    assert all(ends.values())
    assert all(number == 1 for number in firsts.values())
    states = {each.incident.state: [d.state for d in each.deliveries] for each in machine.queries.page(clock())}
    assert states == {each.state: ["resolved", "resolved"] for each in alerts}


def test_an_end_whose_edit_fails_is_not_sent_again(machine, server, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    server.fault = lambda method: "5xx" if method == "editMessageText" else None
    machine.report(resolved(DISK, clock()))
    machine.run(600)

    assert [text.split("\n")[0] for text in server.texts] == ["❌ ERROR", "✅ RESOLVED"]
    assert delivery(machine).state == "resolved"


def test_a_message_that_a_person_deleted_is_not_sent_again(clock):
    methods = []

    def respond(request):
        methods.append(request.url.path.rpartition("/")[2])
        if methods[-1] == "editMessageText":
            text = "Bad Request: message to edit not found"
            return httpx.Response(400, json={"ok": False, "error_code": 400, "description": text})
        return httpx.Response(200, json={"ok": True, "result": {"message_id": 7, "chat": {"id": -100}}})

    client = httpx.Client(transport=httpx.MockTransport(respond))
    channel = EscalatedTelegram(BOT, NO_LINKS, Telegram(BOT, client), pause=clock.forward)
    opened = event("open")
    remote_id = channel.deliver(opened)

    assert remote_id == f"{BOT.id}/-100/7"
    assert channel.deliver(event("acknowledge", remote_id)) == remote_id
    assert channel.deliver(event("resolve", remote_id)) == remote_id
    assert channel.deliver(event("update", "")) == ""
    assert channel.deliver(event("update", "damaged")) == "damaged"
    assert methods == ["sendMessage", "editMessageText", "sendMessage", "editMessageText"]
    channel.close()


def test_the_new_id_of_a_chat_is_kept_with_the_state_of_the_channel(machine, server, clock):
    """By it the bot knows from where commands may come."""
    server.upgrade_chat()
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)

    [state] = [each for each in machine.queries.channels() if each.name == "telegram"]
    assert len(server.texts) == 1
    assert state.chat_id not in {None, TELEGRAM_CHAT_ID}
    machine.start()
    clock.forward(31)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(20)
    assert "Acknowledged by anna" in server.texts[0]
    assert [each.chat_id for each in machine.queries.channels() if each.name == "telegram"] == [state.chat_id]


def test_a_probe_says_whether_the_bot_reaches_the_chat(telegram, server):
    assert telegram.probe() == "the bot reaches the chat"

    server.fault = lambda _method: "5xx"
    with pytest.raises(ChannelError, match="telegram failed"):
        telegram.probe()
    assert server.texts == []


def test_a_process_that_is_killed_between_the_end_and_the_edit_sends_the_end_marked(machine, server, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    kills = iter([True])

    def kill(method):
        if method == "editMessageText" and next(kills, False):
            raise Killed

    server.fault = kill
    machine.report(resolved(DISK, clock()))
    machine.run(120)

    ends = [text for text in server.texts if text.startswith("✅ RESOLVED")]
    assert ["Possible duplicate" in each for each in ends] == [False, True]
