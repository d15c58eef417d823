import pytest

from telemetry.alerts.telegram_updates.update import CommandUpdate, Person, PressUpdate, read_update, update_id

USER = {"id": 7, "is_bot": False, "first_name": "Olga", "username": "olga"}
CHAT = {"id": -100, "type": "supergroup", "title": "Shop"}


def command(text, **more):
    return {"update_id": 1, "message": {"message_id": 5, "from": USER, "chat": CHAT, "date": 100, "text": text} | more}


@pytest.mark.parametrize(
    ("text", "name", "bot", "argument"),
    [
        ("/run sync", "run", "", "sync"),
        ("/Run@Our_bot  sync  now\n", "run", "Our_bot", "sync now"),
        ("/status", "status", "", ""),
        ("run sync", "", "", ""),
        ("/", "", "", ""),
        ("/rün", "", "", ""),
        (f"/{'x' * 33}", "", "", ""),
    ],
)
def test_a_command_is_read_from_a_text(text, name, bot, argument):
    found = read_update(command(text))

    assert isinstance(found, CommandUpdate)
    assert (found.name, found.bot, found.argument) == (name, bot, argument)


def test_a_command_in_a_topic_is_answered_there():
    assert read_update(command("/x", message_thread_id=12, is_topic_message=True)).place.thread_id == 12
    assert read_update(command("/x", message_thread_id=12)).place.thread_id is None  # of a reply, outside a forum


def test_a_press_is_read():
    query = {"id": "9", "from": USER, "data": "ack:1:2", "message": {"message_id": 5, "chat": CHAT, "date": 0}}

    found = read_update({"update_id": 3, "callback_query": query})

    assert isinstance(found, PressUpdate)
    assert (found.query_id, found.data, found.place.chat_id) == ("9", "ack:1:2", -100)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {},
        {"update_id": True},
        {"update_id": 2**70, "message": {}},
        {"update_id": 1},
        {"update_id": 1, "message": {"chat": CHAT}},
        {"update_id": 1, "message": {"chat": {"id": "1"}, "from": USER}},
        {"update_id": 1, "message": {"chat": CHAT, "from": {"id": "7"}}},
        {"update_id": 1, "callback_query": {"id": 9, "from": USER}},
        {"update_id": 1, "callback_query": {"id": "9", "from": USER, "data": "x"}},  # of a message that is too old
        {"update_id": 1, "channel_post": {"text": "/run"}},
    ],
)
def test_what_is_no_update_of_a_person_is_left_alone(raw):
    assert read_update(raw) is None


def test_an_update_without_a_number_cannot_be_confirmed():
    assert [update_id(raw) for raw in ({"update_id": 4}, {"update_id": "4"}, {}, None)] == [4, None, None, None]


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (USER, "telegram:7 (@olga)"),
        ({"id": 7, "first_name": "Olga"}, "telegram:7 (Olga)"),
        ({"id": 7, "first_name": 5}, "telegram:7"),
        ({"id": 7, "first_name": "a\nb\x00c"}, "telegram:7 (a b�c)"),
        ({"id": 7, "first_name": "x" * 500}, f"telegram:7 ({'x' * 39}…)"),
    ],
)
def test_a_person_is_shown_with_the_number_and_a_harmless_name(user, shown):
    assert str(Person.from_json(user)) == shown
