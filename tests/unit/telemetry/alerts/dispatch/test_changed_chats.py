"""Where messages go, and where they are edited, when a chat moves or another one is configured."""

import json
import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from telemetry.alerts.outbox.schema import SCHEMA_VERSION
from tests.unit.telemetry.alerts.conftest import alert

OLD, NEW, NEWEST = "-100200", "-1001300", "-1001400"
TOKEN, OTHER_TOKEN = "7000000001:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "7000000009:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
PREVIOUS_OUTBOX = Path(__file__).parents[4] / "integration" / "previous_version" / "outbox.sql"


class Chats(httpx.BaseTransport):
    """A Bot API whose chats count their own messages. `moved` leads from a group to its supergroup, `errors` are of chats."""

    def __init__(self):
        self.texts = defaultdict(list)
        self.threads = defaultdict(list)
        self.moved = {}
        self.errors = {}
        self.topics = {"12", "34"}
        self.names = {}
        self.calls = []

    def handle_request(self, request):
        method, content = request.url.path.rpartition("/")[2], request.read()
        is_json = request.headers["content-type"] == "application/json"
        values = json.loads(content) if is_json else dict(re.findall(r'name="(\w+)"\r\n\r\n([^\r]*)', content.decode()))
        chat = self.names.get(str(values["chat_id"]), str(values["chat_id"]))
        self.calls.append((method, chat))
        return self._refusal(method, chat, values) or self._accept(method, chat, values)

    def _refusal(self, method, chat, values):
        if chat in self.moved:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            return refused(400, description, migrate_to_chat_id=int(self.moved[chat]))
        if chat in self.errors:
            return refused(*self.errors[chat])
        if "message_thread_id" in values and str(values["message_thread_id"]) not in self.topics:
            return refused(400, "Bad Request: message thread not found")
        if method == "editMessageText" and values["message_id"] > len(self.texts[chat]):
            return refused(400, "Bad Request: message to edit not found")
        return None

    def _accept(self, method, chat, values):
        text = values.get("text", values.get("caption"))
        if method == "editMessageText":
            self.texts[chat][values["message_id"] - 1] = text
        elif method.startswith("send"):
            self.texts[chat].append(text)
            self.threads[chat].append(values.get("message_thread_id"))
        result = {"message_id": len(self.texts[chat]), "chat": {"id": int(chat)}}
        return httpx.Response(200, json={"ok": True, "result": result})


def refused(status, description, **parameters):
    body = {"ok": False, "error_code": status, "description": description}
    return httpx.Response(status, json=body | ({"parameters": parameters} if parameters else {}))


@pytest.fixture
def chats():
    return Chats()


@pytest.fixture
def machine(make_machine, chats):
    return make_machine(chats, chat_id=OLD, token=SecretStr(TOKEN))


def restart(machine, **bot):
    """Start the process again, with another configuration."""
    machine.dispatcher.release()
    machine._bot |= bot
    machine.start()


def tell(machine, name):
    """Report an alert and let it be sent."""
    machine.report(alert(name, at=machine.clock()))
    machine.run(5)


def repeat(machine, name, seconds=70.0):
    """Report a repeat and let the message be edited."""
    machine.report(alert(name, at=machine.clock()))
    machine.run(seconds)


def test_after_a_migration_an_edit_overwrites_no_message_of_the_same_number(machine, chats):
    tell(machine, "first")
    chats.texts[NEW] = ["a stranger's message", "another one"]
    chats.moved[OLD] = NEW

    repeat(machine, "first")
    tell(machine, "second")
    repeat(machine, "second")

    assert chats.texts[NEW][:2] == ["a stranger's message", "another one"]
    assert "×2" in chats.texts[NEW][2]
    assert len(chats.texts[OLD]) == 1
    assert [call for call in chats.calls if call[1] == OLD].count(("editMessageText", OLD)) == 1


def test_a_migration_that_the_next_message_learns_leaves_the_edits_of_earlier_ones_out(machine, chats):
    tell(machine, "first")
    chats.moved[OLD] = NEW
    tell(machine, "second")

    repeat(machine, "first")

    assert "first failed" not in "".join(chats.texts[NEW])
    assert "×" not in "".join(chats.texts[NEW])
    assert machine.notifications.channel("telegram").disabled_reason is None


def test_an_alert_whose_message_is_gone_ends_when_its_repeats_do_and_the_next_one_is_new(machine, chats, clock):
    tell(machine, "first")
    chats.moved[OLD] = NEW
    repeat(machine, "first")
    repeat(machine, "first")
    clock.forward(4 * 3600.0)
    machine.run(30)

    tell(machine, "first")

    [text] = chats.texts[NEW]
    assert "Still there" not in text
    assert "×" not in text


def test_another_chat_gets_the_messages_after_a_migration_of_the_one_before(machine, chats):
    chats.moved[OLD] = NEW
    tell(machine, "first")

    restart(machine, chat_id=NEWEST)
    tell(machine, "second")
    repeat(machine, "first")

    assert ["second failed" in text for text in chats.texts[NEWEST]] == [True]
    assert ["×2" in text for text in chats.texts[NEW]] == [True]


def test_a_message_is_edited_in_the_chat_that_was_configured_when_it_was_sent(machine, chats):
    chats.texts[NEWEST] = ["a stranger's message"]
    tell(machine, "first")

    restart(machine, chat_id=NEWEST)
    repeat(machine, "first")

    assert chats.texts[NEWEST] == ["a stranger's message"]
    assert ["×2" in text for text in chats.texts[OLD]] == [True]


def test_a_name_that_is_given_to_another_channel_takes_no_edit_of_the_one_before(machine, chats):
    chats.names["@alerts"] = OLD
    restart(machine, chat_id="@alerts")
    tell(machine, "first")
    chats.names["@alerts"] = NEW
    chats.texts[NEW] = ["a stranger's message"]

    repeat(machine, "first")
    tell(machine, "second")

    assert chats.texts[NEW][0] == "a stranger's message"
    assert len(chats.texts[NEW]) == 2
    assert "×2" in chats.texts[OLD][0]


@pytest.mark.parametrize(
    "error",
    [
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (400, "Bad Request: chat not found"),
        (400, "Bad Request: message can't be edited"),
        (400, "Bad Request: TOPIC_CLOSED"),
    ],
)
def test_the_chat_before_that_refuses_an_edit_does_not_disable_the_chat_of_now(machine, chats, error):
    tell(machine, "first")
    restart(machine, chat_id=NEWEST)
    chats.errors[OLD] = error

    repeat(machine, "first")
    tell(machine, "second")

    assert machine.notifications.channel("telegram").disabled_reason is None
    assert len(chats.texts[NEWEST]) == 1


def test_another_bot_edits_nothing_of_the_bot_before(machine, chats):
    """In a private chat each bot counts its own messages."""
    tell(machine, "first")
    before = list(chats.texts[OLD])

    restart(machine, token=SecretStr(OTHER_TOKEN))
    repeat(machine, "first")
    tell(machine, "second")
    repeat(machine, "second")

    assert chats.texts[OLD][:1] == before
    assert "×2" in chats.texts[OLD][1]


def test_another_topic_is_used_although_the_one_before_was_gone(machine, chats):
    restart(machine, thread_id=999)
    tell(machine, "first")

    restart(machine, thread_id=34)
    tell(machine, "second")
    restart(machine, thread_id=999)
    tell(machine, "third")
    restart(machine, thread_id=None)
    tell(machine, "fourth")

    assert chats.threads[OLD] == [None, 34, None, None]


def test_what_was_learned_is_kept_over_a_restart_of_the_same_configuration(machine, chats):
    chats.moved[OLD] = NEW
    restart(machine, thread_id=999)
    tell(machine, "first")
    calls = len(chats.calls)

    restart(machine)
    tell(machine, "second")

    assert len(chats.calls) == calls + 1
    assert len(chats.texts[NEW]) == 2


def test_a_group_that_moves_twice_is_followed_twice(machine, chats):
    chats.moved[OLD] = NEW
    tell(machine, "first")
    chats.moved[NEW] = NEWEST
    chats.texts[NEWEST] = ["a stranger's message"]

    repeat(machine, "first")
    tell(machine, "second")

    assert [text.splitlines()[0] for text in chats.texts[NEWEST]] == ["a stranger's message", "<b>❌ ERROR</b>"]


def test_the_chat_that_was_learned_and_is_gone_gives_way_to_the_configured_one(machine, chats):
    chats.moved[OLD] = NEW
    tell(machine, "first")
    chats.moved.clear()
    chats.errors[NEW] = (400, "Bad Request: chat not found")

    tell(machine, "second")
    machine.run(310, step=5)

    assert ["second failed" in text for text in chats.texts[OLD]] == [True]


def test_an_alert_of_unknown_outcome_is_sent_to_the_chat_of_now(machine, chats):
    class Late(httpx.BaseTransport):
        def handle_request(self, request):
            chats.handle_request(request)
            raise httpx.ReadTimeout("timed out", request=request)

    machine._transport = Late()
    restart(machine)
    tell(machine, "first")
    machine._transport = chats

    restart(machine, chat_id=NEWEST)
    machine.run(70)
    repeat(machine, "first")

    assert "Possible duplicate" in chats.texts[NEWEST][0]
    assert "×2" in chats.texts[NEWEST][0]
    assert not any("×2" in text for text in chats.texts[OLD])


@pytest.mark.parametrize("chat", [None, {}, {"id": "x"}, {"id": 2**70}, {"id": True}, [1], "-100"])
def test_an_answer_without_a_readable_chat_is_of_the_chat_that_was_asked(make_machine, chats, chat):
    class Odd(httpx.BaseTransport):
        def handle_request(self, request):
            answer = chats.handle_request(request)
            body = json.loads(answer.read())
            body["result"]["chat"] = chat
            return httpx.Response(200, json=body)

    machine = make_machine(Odd(), chat_id=OLD)
    tell(machine, "first")
    restart(machine, chat_id=NEWEST)
    repeat(machine, "first")

    assert ["×2" in text for text in chats.texts[OLD]] == [True]
    assert not chats.texts[NEWEST]


SENT_BEFORE = """
UPDATE channels SET paused_until = 0, failures = 0, chat_id = {learned};
UPDATE posts SET sent_at = {at}, begun_at = NULL, is_doubtful = 0, message_id = 1, chat_id = {chat}, channel = 'telegram';
INSERT INTO posts (id, channel, kind, created_at, sent_at, message_id, chat_id) VALUES (900, 'telegram', 'alert', {at}, {at}, 1, {chat});
INSERT INTO incidents (id, fingerprint, state, level, component, place, follows, trace_id, span_id, is_sampled, first_at, last_at, count,
    due_at, told_at, told_post, told_count, facts, words, error, stack)
VALUES (900, 'first', '', 'ERROR', 'shop', '', '', '', '', 0, {at}, {at}, 1, {at}, {at}, 900, 1, '{{}}', 'first failed', '', '');
INSERT INTO tellings VALUES (900, 900);
"""


@pytest.mark.parametrize("learned", [None, NEW])
@pytest.mark.parametrize("configured", [OLD, NEWEST])
def test_an_outbox_of_an_earlier_version_is_read_and_overwrites_no_stranger(
    make_machine, chats, clock, learned, configured
):
    """It says of a message in which chat it is only after a migration."""
    if learned:
        chats.moved[OLD] = learned
    chats.texts |= {OLD: ["first"], NEW: ["first"], NEWEST: ["a stranger's message"]}
    machine = make_machine(chats, chat_id=configured)
    machine.path.parent.mkdir(parents=True, exist_ok=True)
    value = f"'{learned}'" if learned else "NULL"
    with closing(sqlite3.connect(machine.path)) as outbox:
        outbox.executescript(PREVIOUS_OUTBOX.read_text())
        outbox.executescript(SENT_BEFORE.format(at=clock() - 10, chat=value, learned=value))

    repeat(machine, "first")
    tell(machine, "second")

    with machine.outbox.read() as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    sent_to = NEWEST if configured == NEWEST else learned or OLD
    assert any("second failed" in text for text in chats.texts[sent_to])
    assert chats.texts[NEWEST][0] == "a stranger's message"
    assert ("×2" in chats.texts[NEW][0]) == bool(learned)
    assert machine.queries.counts(clock()).pending == 0


def test_an_outbox_of_a_later_version_is_used_as_it_is(machine, chats):
    tell(machine, "first")
    with machine.outbox.transaction() as connection:
        connection.execute("ALTER TABLE posts ADD COLUMN later TEXT")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")

    restart(machine)
    tell(machine, "second")

    assert len(chats.texts[OLD]) == 2
