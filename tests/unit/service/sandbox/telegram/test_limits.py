from datetime import timedelta

import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.chats import PRIVATE_CHAT
from service.sandbox.telegram.fake import TelegramFake
from service.sandbox.telegram.limits import FloodControl

BOT = f"/telegram/bot{TELEGRAM_TOKEN}"
SECOND = timedelta(seconds=1)


@pytest.fixture
def send(make_environment, make_client, clock):
    client = make_client(TelegramFake(make_environment(), clock.seconds))
    return lambda chat=TELEGRAM_CHAT_ID: client.post(f"{BOT}/sendMessage", json={"chat_id": chat, "text": "a"})


@pytest.fixture
def flood(clock):
    return FloodControl(clock.seconds)


def test_the_fourth_message_at_once_has_to_wait_and_the_wait_is_said_twice(send):
    sent = [send() for _ in range(4)]

    assert [answer.status_code for answer in sent] == [200, 200, 200, 429]
    assert sent[3].json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 5",
        "parameters": {"retry_after": 5},
    }
    assert sent[3].headers["retry-after"] == "5"


def test_after_flooding_a_chat_is_closed_until_the_wait_is_over(send, clock):
    for _ in range(4):
        send()

    clock.advance(timedelta(seconds=4.5))
    early = send()
    clock.advance(timedelta(seconds=0.5))
    late = send()

    assert (early.status_code, early.json()["parameters"]) == (429, {"retry_after": 1})
    assert late.status_code == 200


def test_another_chat_is_not_closed_with_it(send):
    for _ in range(4):
        send()

    assert send(PRIVATE_CHAT).status_code == 200


def test_nothing_is_limited_when_limits_are_off_and_reading_never_is(make_environment, make_client, clock):
    unlimited = make_client(TelegramFake(make_environment(telegram_limits=False), clock.seconds))
    limited = make_client(TelegramFake(make_environment(), clock.seconds))

    given = {"chat_id": TELEGRAM_CHAT_ID, "text": "a"}
    assert {unlimited.post(f"{BOT}/sendMessage", json=given).status_code for _ in range(40)} == {200}
    assert {limited.post(f"{BOT}/getMe").status_code for _ in range(40)} == {200}


def test_edits_and_documents_count_as_messages(make_environment, make_client, clock):
    client = make_client(TelegramFake(make_environment(), clock.seconds))
    chat = {"chat_id": TELEGRAM_CHAT_ID}
    client.post(f"{BOT}/sendMessage", json=chat | {"text": "a"})
    client.post(f"{BOT}/sendDocument", data=chat, files={"document": ("a", b"a")})
    client.post(f"{BOT}/editMessageText", json=chat | {"message_id": 1, "text": "b"})

    edit = client.post(f"{BOT}/editMessageText", json=chat | {"message_id": 1, "text": "c"})
    document = client.post(f"{BOT}/sendDocument", data=chat, files={"document": ("a", b"a")})

    assert (edit.status_code, document.status_code) == (429, 429)


def test_a_message_that_is_wrong_does_not_count(make_environment, make_client, clock):
    client = make_client(TelegramFake(make_environment(), clock.seconds))
    for _ in range(5):
        client.post(f"{BOT}/sendMessage", json={"chat_id": TELEGRAM_CHAT_ID, "text": ""})

    assert client.post(f"{BOT}/sendMessage", json={"chat_id": TELEGRAM_CHAT_ID, "text": "a"}).status_code == 200


def test_a_chat_takes_one_message_a_second_for_ever(flood, clock):
    for _ in range(100):
        assert flood.acquire(PRIVATE_CHAT) == 0
        clock.advance(SECOND)


def test_a_group_takes_twenty_a_minute_and_no_more(flood, clock):
    for _ in range(20):
        assert flood.acquire(-1) == 0
        clock.advance(2 * SECOND)

    assert flood.acquire(-1) == 20
    clock.advance(19 * SECOND)
    assert flood.acquire(-1) == 1
    clock.advance(SECOND)
    assert flood.acquire(-1) == 0


def test_waits_grow_up_to_a_minute_while_the_flooding_goes_on_and_are_forgotten_after_one(flood, clock):
    waits = []
    for _ in range(6):
        while not (wait := flood.acquire(PRIVATE_CHAT)):
            pass
        waits.append(wait)
        clock.advance(wait * SECOND)

    clock.advance(timedelta(seconds=61))
    while not (forgotten := flood.acquire(PRIVATE_CHAT)):
        pass

    assert waits == [5, 10, 20, 40, 60, 60]
    assert forgotten == 5


def test_all_chats_together_take_thirty_a_second(flood, clock):
    assert [flood.acquire(chat) for chat in range(1, 31)] == [0] * 30
    assert flood.acquire(31) == 5

    clock.advance(5 * SECOND)

    assert flood.acquire(32) == 0
