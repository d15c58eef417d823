from datetime import timedelta

import httpx
import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.journal import Journal
from service.sandbox.telegram import request
from service.sandbox.telegram.chats import PRIVATE_CHAT, UPGRADED_CHAT
from service.sandbox.telegram.fake import TelegramFake

CHAT = int(TELEGRAM_CHAT_ID)
BOT = f"/telegram/bot{TELEGRAM_TOKEN}"


@pytest.fixture
def make_fake(make_environment, clock):
    return lambda journal=None, **options: TelegramFake(
        make_environment(journal, **{"telegram_limits": False} | options), clock.seconds
    )


@pytest.fixture
def make_call(make_fake, make_client):
    """Calls methods of a fake with the given options."""

    def make(fake=None, **options):
        client = make_client(fake or make_fake(**options))
        return lambda method, **given: client.post(f"{BOT}/{method}", json=given)

    return make


@pytest.fixture
def call(make_call):
    return make_call()


@pytest.fixture
def client(make_fake, make_client):
    return make_client(make_fake())


def refusal(answer):
    """The status and the description of an error response."""
    body = answer.json()
    assert (body["ok"], body["error_code"]) == (False, answer.status_code)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["description"]


def test_a_message_that_was_sent_is_shown_as_it_arrived(call, clock):
    answer = call("sendMessage", chat_id=CHAT, text="Новый отзыв 2 из 5", message_thread_id=12)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "ok": True,
        "result": {
            "message_id": 1,
            "from": {"id": 7000000001, "is_bot": True, "first_name": "Alerts", "username": "sandbox_alerts_bot"},
            "chat": {"id": CHAT, "title": "Отзывы", "type": "supergroup", "is_forum": True},
            "date": int(clock.now.timestamp()),
            "message_thread_id": 12,
            "is_topic_message": True,
            "text": "Новый отзыв 2 из 5",
        },
    }


def test_the_bot_says_who_it_is(call):
    me = call("getMe").json()["result"]

    assert (me["id"], me["is_bot"]) == (7000000001, True)
    assert {
        "first_name", "username", "can_join_groups", "can_read_all_group_messages", "supports_inline_queries",
        "can_connect_to_business", "has_main_web_app", "has_topics_enabled",
    } <= set(me)  # fmt: skip


def test_a_chat_can_be_read(call):
    assert call("getChat", chat_id=CHAT).json()["result"]["title"] == "Отзывы"
    assert call("getChat", chat_id=PRIVATE_CHAT).json()["result"]["first_name"] == "Manager"
    assert refusal(call("getChat", chat_id=5)) == (400, "Bad Request: chat not found")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda given: {"method": "POST", "json": given},
        lambda given: {"method": "POST", "data": given},
        lambda given: {"method": "POST", "data": given, "files": {"unused": ("a", b"b")}},
        lambda given: {"method": "POST", "params": given},
        lambda given: {"method": "GET", "params": given},
    ],
    ids=["json", "form", "multipart", "query", "GET"],
)
def test_a_call_may_be_made_in_each_way(client, request_of):
    given = {"chat_id": TELEGRAM_CHAT_ID, "text": "готово & <хорошо>", "message_thread_id": "34"}

    answer = client.request(url=f"{BOT}/sendMessage", **request_of(given))

    assert answer.json()["result"]["text"] == given["text"]
    assert answer.json()["result"]["message_thread_id"] == 34


@pytest.mark.parametrize("method", ["sendMessage", "sendmessage", "SENDMESSAGE"])
def test_the_case_of_a_method_does_not_matter_nor_does_the_test_data_centre(client, method):
    for path in (f"{BOT}/{method}", f"{BOT}/test/{method}"):
        assert client.post(path, json={"chat_id": CHAT, "text": "a"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/telegram/botnonsense/getMe", (404, "Not Found")),
        ("/telegram/bot٣:abc/getMe", (404, "Not Found")),
        (f"/telegram/bot{TELEGRAM_TOKEN}x/getMe", (401, "Unauthorized")),
        ("/telegram/bot7000000001:AArevoked/getMe", (401, "Unauthorized")),
        (f"{BOT}/getEverything", (404, "Not Found: method not found")),
        ("/telegram/getMe", (404, "Not Found")),
    ],
)
def test_a_wrong_token_and_a_wrong_method_are_told_apart(client, path, refused):
    assert refusal(client.get(path)) == refused


def test_a_verb_that_is_none_of_its_is_not_found(client):
    assert refusal(client.put(f"{BOT}/getMe")) == (404, "Not Found")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"chat_id": None}, "chat_id is empty"),
        ({"chat_id": ""}, "chat_id is empty"),
        ({"chat_id": -100500}, "chat not found"),
        ({"chat_id": "@channel"}, "chat not found"),
        ({"chat_id": "9" * 5000}, "chat not found"),
        ({"chat_id": UPGRADED_CHAT}, "chat not found"),
        ({"message_thread_id": 13}, "message thread not found"),
        ({"message_thread_id": 1}, "message thread not found"),
        ({"message_thread_id": "general"}, "message thread not found"),
        ({"chat_id": PRIVATE_CHAT, "message_thread_id": 12}, "message thread not found"),
        ({"text": None}, "message text is empty"),
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "a" * 4097}, "message is too long"),
        ({"text": "😀" * 2049}, "message is too long"),
        ({"text": "a" * 32769}, "text is too long"),
        ({"text": "ы" * 16385}, "text is too long"),
        ({"parse_mode": "Wiki"}, "unsupported parse_mode"),
    ],
)
def test_a_message_that_can_not_be_sent_is_refused_with_the_reason(call, given, why):
    answer = call("sendMessage", **{"chat_id": CHAT, "text": "a"} | given)

    assert refusal(answer) == (400, f"Bad Request: {why}")
    assert "parameters" not in answer.json()


@pytest.mark.parametrize(
    ("text", "mode"), [("a" * 4096, ""), ("😀" * 2048, ""), ("<b>" + "&amp;" * 4096 + "</b>", "html")]
)
def test_a_text_is_measured_after_its_markup_was_read(call, text, mode):
    assert call("sendMessage", chat_id=CHAT, text=text, parse_mode=mode).status_code == 200


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "can't parse JSON object"),
        (b"[1]", "can't parse JSON object"),
        (b'{"chat_id": -1001234567890, "text": "\\ud83d"}', "strings must be encoded in UTF-8"),
    ],
)
def test_a_body_that_can_not_be_read_is_refused(client, body, why):
    answer = client.post(f"{BOT}/sendMessage", content=body, headers={"content-type": "application/json"})

    assert refusal(answer) == (400, f"Bad Request: {why}")


def test_a_body_of_an_unknown_kind_gives_nothing_and_so_does_one_without_parts(client):
    for kind in ("text/plain", "multipart/form-data"):
        answer = client.post(f"{BOT}/sendMessage", content=b"chat_id=1", headers={"content-type": kind})
        assert refusal(answer) == (400, "Bad Request: message text is empty")


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("blocked", (403, "Forbidden: bot was blocked by the user")),
        ("kicked", (403, "Forbidden: bot was kicked from the supergroup chat")),
        ("left", (403, "Forbidden: bot is not a member of the channel chat")),
        ("deactivated", (403, "Forbidden: user is deactivated")),
        ("unstarted", (403, "Forbidden: bot can't initiate conversation with a user")),
    ],
)
def test_a_chat_that_can_not_be_reached_any_more_says_why(make_call, state, refused):
    call = make_call(telegram_chat=state)

    assert refusal(call("sendMessage", chat_id=CHAT, text="a")) == refused
    assert call("sendMessage", chat_id=PRIVATE_CHAT, text="a").status_code == 200


def test_a_group_that_was_upgraded_says_where_it_is_now(make_call):
    call = make_call(telegram_chat="upgraded")

    answer = call("sendMessage", chat_id=CHAT, text="a")

    assert refusal(answer) == (400, "Bad Request: group chat was upgraded to a supergroup chat")
    new = answer.json()["parameters"]["migrate_to_chat_id"]
    assert new == UPGRADED_CHAT
    assert call("sendMessage", chat_id=new, text="a").json()["result"]["chat"]["id"] == new


def test_a_chat_may_change_while_the_sandbox_runs_and_its_state_must_be_known(make_environment, make_client):
    environment = make_environment()
    client = make_client(TelegramFake(environment))
    environment.options.telegram_chat = "kicked"

    assert client.post(f"{BOT}/getChat", json={"chat_id": CHAT}).status_code == 403
    with pytest.raises(ValueError, match="telegram_chat is none of ok, upgraded, blocked"):
        TelegramFake(make_environment(telegram_chat="gone"))


def test_a_message_can_be_edited(call, clock):
    message_id = call("sendMessage", chat_id=CHAT, text="<b>down</b>", parse_mode="HTML").json()["result"]["message_id"]
    clock.advance(timedelta(minutes=4))

    edited = call("editMessageText", chat_id=CHAT, message_id=str(message_id), text="<i>up</i>", parse_mode="HTML")

    result = edited.json()["result"]
    assert (result["message_id"], result["text"]) == (message_id, "up")
    assert result["entities"] == [{"type": "italic", "offset": 0, "length": 2}]
    assert result["edit_date"] - result["date"] == 240


def test_an_edit_that_changes_nothing_is_refused_and_one_of_the_markup_is_not(call):
    call("sendMessage", chat_id=CHAT, text="<b>a</b>", parse_mode="HTML")

    same = call("editMessageText", chat_id=CHAT, message_id=1, text=" <strong>a</strong>", parse_mode="HTML")
    plain = call("editMessageText", chat_id=CHAT, message_id=1, text="a")

    assert refusal(same)[1].startswith("Bad Request: message is not modified: specified new message content and reply")
    assert plain.status_code == 200


@pytest.mark.parametrize(
    "given", [{"message_id": 9}, {"message_id": "x"}, {}, {"chat_id": PRIVATE_CHAT, "message_id": 1}], ids=str
)
def test_a_message_that_there_is_not_can_not_be_edited(call, given):
    call("sendMessage", chat_id=CHAT, text="a")

    answer = call("editMessageText", **{"chat_id": CHAT, "text": "b"} | given)

    assert refusal(answer) == (400, "Bad Request: message to edit not found")


def send_document(client, *, name="service.log", content=b"a\r\nb\0\xff" * 100, **given):
    files = {"document": (name, content, "text/x-log")}
    return client.post(f"{BOT}/sendDocument", data={"chat_id": TELEGRAM_CHAT_ID} | given, files=files)


def test_a_document_arrives_with_its_name_size_and_caption(client):
    answer = send_document(client, name="отчёт «за день».log", caption="<b>Report</b>", parse_mode="HTML")

    result = answer.json()["result"]
    document = result["document"]
    assert (document["file_name"], document["file_size"], document["mime_type"]) == (
        "отчёт «за день».log", 600, "text/x-log"
    )  # fmt: skip
    assert document["file_id"]
    assert (result["caption"], "text" in result) == ("Report", False)
    assert result["caption_entities"] == [{"type": "bold", "offset": 0, "length": 6}]


def test_a_document_may_have_a_topic_and_no_caption(client):
    result = send_document(client, message_thread_id="12").json()["result"]

    assert (result["message_thread_id"], "caption" in result) == (12, False)


def test_a_document_that_can_not_be_sent_is_refused_with_the_reason(client, call):
    def why(answer):
        return refusal(answer)[1].removeprefix("Bad Request: ")

    assert why(call("sendDocument", chat_id=CHAT)) == "there is no document in the request"
    assert why(call("sendDocument", chat_id=CHAT, document="AgAD")) == "wrong file identifier/HTTP URL specified"
    assert why(send_document(client, content=b"")) == "file must be non-empty"
    assert why(send_document(client, caption="a" * 1025)) == "message caption is too long"
    assert why(send_document(client, caption="<x>", parse_mode="HTML")).startswith("can't parse entities")
    assert why(send_document(client, chat_id="1")) == "chat not found"


def test_the_text_of_a_document_can_not_be_edited(client, make_call, make_fake, make_client):
    client = make_client(make_fake())
    send_document(client, caption="a")

    answer = client.post(f"{BOT}/editMessageText", json={"chat_id": CHAT, "message_id": 1, "text": "b"})

    assert refusal(answer) == (400, "Bad Request: there is no text in the message to edit")


def test_what_is_larger_than_telegram_takes_is_refused_before_it_is_read_whole(client, monkeypatch):
    monkeypatch.setattr(request, "MAX_BODY_BYTES", 10_000)

    assert send_document(client, content=b"a" * 9_000).status_code == 200
    assert refusal(send_document(client, content=b"a" * 10_001)) == (413, "Request Entity Too Large")


def test_documents_are_taken_up_to_fifty_megabytes():
    assert request.MAX_BODY_BYTES == 50 * 1024 * 1024


def test_what_arrived_is_told(make_fake, make_call, clock):
    fake = make_fake()
    call = make_call(fake)
    date = int(clock.now.timestamp())

    call("sendMessage", chat_id=CHAT, text="<b>down</b>", parse_mode="HTML")
    call("sendMessage", chat_id=PRIVATE_CHAT, text="b")
    call("sendMessage", chat_id=CHAT, text="")
    clock.advance(timedelta(minutes=1))
    call("editMessageText", chat_id=CHAT, message_id=1, text="up")

    assert fake.expected_state("messages") == [
        {"message_id": 1, "chat_id": CHAT, "text": "up", "edited": True, "date": date},
        {"message_id": 2, "chat_id": PRIVATE_CHAT, "text": "b", "edited": False, "date": date},
    ]
    with pytest.raises(KeyError):
        fake.expected_state("chats")


def test_messages_are_there_after_a_restart_and_numbers_go_on(make_fake, make_call, make_client, tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    fake = make_fake(journal)
    call = make_call(fake)
    call("sendMessage", chat_id=CHAT, text="<b>one</b>", parse_mode="HTML", message_thread_id=12)
    call("sendMessage", chat_id=CHAT, text="two")
    call("editMessageText", chat_id=CHAT, message_id=2, text="second")
    send_document(make_client(fake))
    journal.close()

    reopened = Journal(path)
    again = make_fake(reopened)

    assert list(again._messages) == list(fake._messages)
    assert again.expected_state("messages")[1]["edited"] is True
    assert make_call(again)("sendMessage", chat_id=CHAT, text="four").json()["result"]["message_id"] == 4
    reopened.close()


def test_only_the_newest_messages_are_kept_in_memory(make_fake, make_call, monkeypatch):
    monkeypatch.setattr("service.sandbox.telegram.message_store.MAX_MESSAGES", 100)
    journal = Journal()
    fake = make_fake(journal)
    call = make_call(fake)

    for number in range(1, 202):
        call("sendMessage", chat_id=CHAT, text=f"message {number}")

    kept = [message["message_id"] for message in fake.expected_state("messages")]
    assert kept == list(range(102, 202))
    assert refusal(call("editMessageText", chat_id=CHAT, message_id=101, text="a"))[1].endswith("edit not found")
    assert len(list(journal.entries("telegram-message"))) == 101
    journal.append("telegram-edit", message_id=5, text="lost", entities=[], date=0)
    assert [message["message_id"] for message in make_fake(journal).expected_state("messages")] == kept


def test_the_refusals_of_faults_are_telegrams(make_fake):
    too_many, server_error = make_fake().rate_limited(17), make_fake().server_error()

    assert too_many.status_code == 429
    assert too_many.headers["retry-after"] == "17"
    assert b'"description":"Too Many Requests: retry after 17"' in too_many.body
    assert (server_error.status_code, server_error.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_a_plain_client_on_a_socket_is_answered_as_well(make_fake, make_client, served):
    url = served(make_client(make_fake()).app)

    with httpx.Client(base_url=url, timeout=30) as client:
        sent = client.post(f"{BOT}/sendMessage", data={"chat_id": TELEGRAM_CHAT_ID, "text": "a"})
        refused = client.post(f"{BOT}/sendMessage", data={"chat_id": TELEGRAM_CHAT_ID})

    assert sent.json()["ok"] is True
    assert refusal(refused) == (400, "Bad Request: message text is empty")
