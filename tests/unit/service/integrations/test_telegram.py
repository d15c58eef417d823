import threading
import time

import pytest

from service.database.tables import RateLimitRow
from service.integrations.http.client import ApiClient
from service.integrations.http.errors import CallError, Forbidden, Rejected, TooManyRequests, Unauthorized, Unreadable
from service.integrations.http.rate_limiter import RateLimiter
from service.integrations.telegram import describe_bot, telegram_api
from tests.support.fakes import rows_of
from tests.support.loopback import Loopback, response

TOKEN = "7000000001:AAcanarycanarycanarycanarycanary"
CHAT = "-1001234567890"
BOT = {"ok": True, "result": {"id": 7000000001, "is_bot": True, "username": "alerts_bot"}}


def a_chat(**known):
    return response({"ok": True, "result": {"id": int(CHAT), "type": "supergroup"} | known})


def refused(status, description, **parameters):
    also = {"parameters": parameters} if parameters else {}
    return response({"ok": False, "error_code": status, "description": description} | also, status=status)


@pytest.fixture
def telegram():
    """Telegram on loopback, as a test scripts it."""
    with Loopback() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield server
        server.released.set()
        server.shutdown()
        serving.join(5)


class Waits(list):
    def __call__(self, seconds, reason):
        self.append(reason)


@pytest.fixture
def client(telegram, sqlite_engine):
    """Never waits, and gives up where it would have to wait for a minute."""
    client = ApiClient(telegram_api(telegram.url), RateLimiter(sqlite_engine), Waits(), patience=60.0)
    yield client
    client.close()


def test_the_bot_and_its_chat_are_named(telegram, client):
    telegram.enqueue(response(BOT), a_chat(title="Отзывы"))

    assert describe_bot(client, TOKEN, CHAT) == "@alerts_bot writes to the supergroup Отзывы"
    assert telegram.paths == [f"/bot{TOKEN}/getMe", f"/bot{TOKEN}/getChat"]
    assert telegram.queries == [{}, {"chat_id": CHAT}]


@pytest.mark.parametrize(
    ("known", "name"), [({"type": "private", "username": "seller"}, "private seller"), ({}, f"supergroup {CHAT}")]
)
def test_a_chat_without_a_title_goes_by_what_it_has(telegram, client, known, name):
    telegram.enqueue(response(BOT), a_chat(**known))

    assert describe_bot(client, TOKEN, CHAT) == f"@alerts_bot writes to the {name}"


def test_without_a_chat_the_token_alone_is_looked_at(telegram, client):
    telegram.enqueue(response(BOT))

    assert describe_bot(client, TOKEN, None) == "the token is that of @alerts_bot; MANAGER_CHAT_ID is not set"
    assert len(telegram.requests) == 1


@pytest.mark.parametrize("status", [401, 404])
def test_a_token_that_is_not_accepted_is_said_with_its_variable(telegram, client, status):
    telegram.enqueue(refused(status, "Unauthorized"))

    with pytest.raises(Unauthorized, match="check TELEGRAM_TOKEN"):
        describe_bot(client, TOKEN, CHAT)


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (400, "Bad Request: chat not found", Rejected),
        (403, "Forbidden: bot was kicked from the supergroup chat", Forbidden),
    ],
)
def test_a_chat_that_is_not_the_bots_is_said_with_its_variable_and_in_telegrams_words(
    telegram, client, status, description, kind
):
    telegram.enqueue(response(BOT), refused(status, description))

    with pytest.raises(kind) as caught:
        describe_bot(client, TOKEN, CHAT)

    assert type(caught.value) is kind
    assert str(caught.value) == f"telegram refuses: check MANAGER_CHAT_ID ({status}: {description})."
    assert len(telegram.requests) == 2


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (refused(429, "Too Many Requests: retry after 90", retry_after=90), 90),
        (response("<html>slow down</html>", status=429, retry_after="120"), 120),
        (response({"ok": False, "parameters": {"retry_after": "soon"}}, status=429, retry_after="90.5"), 90.5),
    ],
    ids=["in the body", "in the header", "nonsense in the body"],
)
def test_what_telegram_asks_to_wait_is_heeded_also_by_those_who_come_later(
    telegram, client, sqlite_engine, answer, seconds
):
    telegram.enqueue(answer)

    for _ in range(2):
        with pytest.raises(CallError, match="may be called again"):
            describe_bot(client, TOKEN, CHAT)

    assert len(telegram.requests) == 1
    [rate_limiter] = rows_of(sqlite_engine, RateLimitRow)
    assert rate_limiter.blocked_until - time.time() == pytest.approx(seconds, abs=10)


def test_too_many_requests_may_come_without_a_word_of_how_long_to_wait(client):
    class Answer:
        status, headers = 429, {}

        def object(self):
            return {"ok": False}

    error = client.api.error_from(Answer())

    assert isinstance(error, TooManyRequests)
    assert error.retry_after is None


@pytest.mark.parametrize("body", [{"ok": True}, {"hello": "world"}, {"result": [1]}])
def test_something_else_that_answers_is_not_taken_for_telegram(telegram, client, body):
    telegram.enqueue(response(body))

    with pytest.raises(Unreadable, match="check TELEGRAM_API_URL"):
        describe_bot(client, TOKEN, CHAT)


def test_a_token_with_slips_in_it_stays_in_its_place_of_the_path(telegram, client):
    telegram.enqueue(refused(404, "Not Found"))

    with pytest.raises(Unauthorized):
        describe_bot(client, "123:abc/def?x#y \n", CHAT)

    assert telegram.paths == ["/bot123:abc%2Fdef%3Fx%23y%20%0A/getMe"]


def test_no_error_tells_the_token(telegram, client, caplog):
    for answer in (refused(401, "Unauthorized"), refused(400, "Bad Request"), response("no"), response({"ok": True})):
        telegram.enqueue(answer)
        with pytest.raises(CallError) as caught:
            describe_bot(client, TOKEN, CHAT)
        assert TOKEN.partition(":")[2] not in f"{caught.value!r} {caught.value.__cause__!r}"

    assert TOKEN.partition(":")[2] not in caplog.text
