"""The sandbox's Telegram as a bot that has buttons and commands meets it."""

import json
import threading
from datetime import timedelta

import httpx
import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.chats import PRIVATE_CHAT
from service.sandbox.telegram.fake import TelegramFake
from service.sandbox.telegram.phone_users import PEOPLE
from tests.unit.service.sandbox.conftest import mount_fake

CHAT = int(TELEGRAM_CHAT_ID)
BOT = f"/telegram/bot{TELEGRAM_TOKEN}"
OLGA, _PETR, STRANGER = PEOPLE
KEYBOARD = {"inline_keyboard": [[{"text": "Acknowledge", "callback_data": "ack:1"}]]}
TOO_OLD = (400, "Bad Request: query is too old and response timeout expired or query ID is invalid")


@pytest.fixture
def make_fake(make_environment, clock):
    return lambda **options: TelegramFake(make_environment(**{"telegram_limits": False} | options), clock.seconds)


@pytest.fixture
def fake(make_fake):
    return make_fake()


@pytest.fixture
def client(fake, make_client):
    return make_client(fake)


@pytest.fixture
def call(client):
    return lambda method, **given: client.post(f"{BOT}/{method}", json=given)


@pytest.fixture
def pressed(call, fake):
    """The id of a press."""
    number = call("sendMessage", chat_id=CHAT, text="alert", reply_markup=KEYBOARD).json()["result"]["message_id"]
    return lambda: fake.inbox.press(OLGA, number, 0, 0)


def refusal(answer):
    return answer.status_code, answer.json()["description"]


def button(**values):
    return {"inline_keyboard": [[{"text": "x"} | values]]}


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        (button(callback_data="я" * 33), "BUTTON_DATA_INVALID"),
        (button(), "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
        (button(callback_data="a", url="https://x"), "BUTTON_TYPE_INVALID"),
        ([], "object expected as reply markup"),
        ("{", "can't parse reply keyboard markup JSON object"),
    ],
)
def test_buttons_that_telegram_does_not_take_are_refused(call, markup, why):
    assert refusal(call("sendMessage", chat_id=CHAT, text="x", reply_markup=markup)) == (400, f"Bad Request: {why}")


def test_buttons_with_64_bytes_of_data_are_kept_until_an_edit_without_them(call):
    sent = call("sendMessage", chat_id=CHAT, text="x", reply_markup=button(callback_data="я" * 32)).json()["result"]
    target = {"chat_id": CHAT, "message_id": sent["message_id"]}

    edited = call("editMessageText", text="x", **target)
    again = call("editMessageText", text="x", **target)

    assert sent["reply_markup"] == button(callback_data="я" * 32)
    assert "reply_markup" not in edited.json()["result"]
    assert refusal(again)[1].startswith("Bad Request: message is not modified")


def test_buttons_are_changed_alone(call):
    sent = call("sendMessage", chat_id=CHAT, text="x", reply_markup=KEYBOARD).json()["result"]
    target = {"chat_id": CHAT, "message_id": sent["message_id"]}

    same = call("editMessageReplyMarkup", reply_markup=KEYBOARD, **target)
    none = call("editMessageReplyMarkup", **target)

    assert refusal(same)[1].startswith("Bad Request: message is not modified")
    assert none.json()["result"]["text"] == "x"
    assert "reply_markup" not in none.json()["result"]


def test_a_press_becomes_an_update_and_is_answered_once(call, pressed):
    query_id = pressed()

    update = call("getUpdates").json()["result"][0]
    first, second = (call("answerCallbackQuery", callback_query_id=query_id, text="done") for _ in range(2))

    query = update["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (query_id, "ack:1", OLGA)
    assert query["message"]["text"] == "alert"
    assert first.json() == {"ok": True, "result": True}
    assert refusal(second) == TOO_OLD


def test_a_press_expires(call, pressed, clock):
    query_id = pressed()
    clock.advance(timedelta(seconds=31))

    assert refusal(call("answerCallbackQuery", callback_query_id=query_id)) == TOO_OLD
    assert refusal(call("answerCallbackQuery", callback_query_id="1")) == TOO_OLD


def test_an_answer_to_a_press_has_200_characters(call, pressed):
    query_id = pressed()

    refused = call("answerCallbackQuery", callback_query_id=query_id, text="x" * 201)

    assert refusal(refused) == (400, "Bad Request: MESSAGE_TOO_LONG")
    assert call("answerCallbackQuery", callback_query_id=query_id, text="x" * 200).json()["ok"]


def test_updates_stay_until_a_later_offset_confirms_them(call, fake):
    for text in ("/a", "/b", "/c"):
        fake.inbox.write(OLGA, text)
    texts = lambda answer: [update["message"]["text"] for update in answer.json()["result"]]  # noqa: E731

    first = call("getUpdates", limit=2)
    offset = first.json()["result"][-1]["update_id"] + 1

    assert (texts(first), texts(call("getUpdates"))) == (["/a", "/b"], ["/a", "/b", "/c"])
    assert texts(call("getUpdates", offset=offset)) == texts(call("getUpdates")) == ["/c"]
    assert texts(call("getUpdates", offset=-1)) == ["/c"]


def test_only_the_kinds_that_the_bot_wants_become_updates(call, fake):
    call("getUpdates", allowed_updates=["callback_query"])
    fake.inbox.write(OLGA, "/a")

    assert call("getUpdates").json()["result"] == []


def test_in_a_group_the_bot_gets_commands_alone(call, fake):
    for text in ("good morning", "/a@other_bot", "/a@Sandbox_Alerts_Bot"):
        fake.inbox.write(OLGA, text)
    fake.inbox.write(STRANGER, "hello", PRIVATE_CHAT)

    found = [update["message"]["text"] for update in call("getUpdates").json()["result"]]
    assert found == ["/a@Sandbox_Alerts_Bot", "hello"]


def test_a_second_poller_ends_the_poll_of_the_first(served, fake):
    url, answers = f"{served(mount_fake(fake))}{BOT}/getUpdates", []

    def poll(seconds):
        return httpx.post(url, json={"timeout": seconds}, timeout=30, trust_env=False)

    waiting = threading.Thread(target=lambda: answers.append(poll(20)))
    waiting.start()
    while waiting.is_alive():
        second = poll(0)
        waiting.join(0.1)

    assert second.json() == {"ok": True, "result": []}
    assert refusal(answers[0]) == (
        409,
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
    )


def test_a_bot_with_a_webhook_cannot_be_polled(make_fake, make_client):
    client = make_client(make_fake(telegram_webhook=True))

    answer = client.post(f"{BOT}/getUpdates")

    assert answer.status_code == 409
    assert "webhook is active" in answer.json()["description"]


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ([{"command": "Run", "description": "x"}], "BOT_COMMAND_INVALID"),
        ([{"command": "run", "description": ""}], "BOT_COMMAND_DESCRIPTION_INVALID"),
        ([{"command": "run", "description": "x"}] * 101, "BOT_COMMANDS_TOO_MUCH"),
    ],
)
def test_commands_that_telegram_does_not_take_are_refused(call, commands, why):
    assert refusal(call("setMyCommands", commands=commands)) == (400, f"Bad Request: {why}")


def test_commands_are_kept(call):
    call("setMyCommands", commands=[{"command": "run", "description": "run a job"}])

    assert call("getMyCommands").json()["result"] == [{"command": "run", "description": "run a job"}]


def test_a_reply_needs_its_message_unless_it_is_sent_without(call):
    missing = {"message_id": 99}

    assert refusal(call("sendMessage", chat_id=CHAT, text="x", reply_parameters=missing)) == (
        400,
        "Bad Request: message to be replied not found",
    )
    assert call(
        "sendMessage", chat_id=CHAT, text="x", reply_parameters=missing | {"allow_sending_without_reply": True}
    ).json()["ok"]


def test_the_phone_presses_and_writes_by_json_alone(client, call):
    call("sendMessage", chat_id=CHAT, text="alert", reply_markup=KEYBOARD)

    form = client.post("/phone/write", content=json.dumps({"person": OLGA, "text": "/a"}))
    no_person = client.post("/phone/write", json={"person": 1, "text": "/a"})
    no_button = client.post("/phone/press", json={"person": OLGA, "message_id": 1, "row": 1, "column": 0})

    assert (form.status_code, no_person.status_code, no_button.status_code) == (415, 422, 404)
    assert 'data-message="1" data-row="0" data-column="0">Acknowledge</button>' in client.get("/phone").text
