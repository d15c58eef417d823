"""Who may look, by requests as browsers send them."""

import pytest
from itsdangerous import TimestampSigner
from starlette.requests import Request
from starlette.responses import Response

from telemetry.console.access import attempts, cookie, origins
from telemetry.console.access.attempts import WrongAttempts
from telemetry.console.access.cookie import SignedCookie
from telemetry.recent.database import RecentDatabase


def request(client="127.0.0.1", **headers: str) -> Request:
    named = {"host": "127.0.0.1:8080"} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "method": "GET", "path": "/console", "headers": raw, "client": (client, 4711)})


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST.", "127.0.0.1", "127.9.9.9:1", "[::1]:8080"]
)
@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.3.2.1"])
def test_a_program_of_this_machine_is_local(client, host):
    assert origins.is_local(request(client, host=host))


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("10.0.0.7", {}),
        ("::ffff:10.0.0.7", {}),
        ("testclient", {}),
        ("", {}),
        ("127.0.0.1", {"host": "rebound.example"}),
        ("127.0.0.1", {"host": "localhost.example.com"}),
        ("127.0.0.1", {"host": "127.0.0.1.example.com"}),
        ("127.0.0.1", {"host": ""}),
        ("127.0.0.1", {"x_forwarded_for": "203.0.113.9"}),
        ("127.0.0.1", {"forwarded": "for=203.0.113.9"}),
        ("127.0.0.1", {"x_real_ip": "203.0.113.9"}),
        ("127.0.0.1", {"x_forwarded_host": "shop.example"}),
        ("127.0.0.1", {"via": "1.1 proxy"}),
        ("127.0.0.1", {"cf_connecting_ip": "203.0.113.9"}),
    ],
)
def test_what_comes_from_elsewhere_or_by_another_name_is_not_local(client, headers):
    assert not origins.is_local(request(client, **headers))


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:8080", True),
        ("https://127.0.0.1:8080", True),
        ("http://127.0.0.1:9090", False),
        ("http://evil.example", False),
        ("http://127.0.0.1:8080.evil.example", False),
        ("javascript://127.0.0.1:8080", False),
        ("//127.0.0.1:8080", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_of_the_console_is_told_by_its_origin(origin, own):
    assert origins.is_own_page(request(origin=origin)) is own


def cookie_of(token: str) -> str:
    response = Response()
    SignedCookie(token).set_on(response, request(), "/console")
    return response.headers["set-cookie"]


def test_the_cookie_is_for_the_console_of_this_site_and_for_no_script():
    attributes = cookie_of("token-1").lower()
    assert "httponly" in attributes
    assert "samesite=strict" in attributes
    assert "path=/console" in attributes
    assert "max-age=43200" in attributes
    assert "secure" not in attributes
    assert "token-1" not in attributes


def test_the_cookie_ends_when_the_token_changes():
    value = cookie_of("token-1").partition(";")[0]
    assert SignedCookie("token-1").is_valid(request(cookie=value))
    assert not SignedCookie("token-2").is_valid(request(cookie=value))


@pytest.mark.parametrize("value", ["", "x", "signed-in", "signed-in.AAAA.BBBB", "a.b.c.d", "ÿ", "signed-in." * 500])
def test_a_cookie_that_was_not_signed_is_none(value):
    assert not SignedCookie("token-1").is_valid(request(cookie=f"{cookie.NAME}={value}"))


def test_a_cookie_ends_after_twelve_hours(monkeypatch):
    value = cookie_of("token-1").partition(";")[0]
    signer = SignedCookie("token-1")
    now = TimestampSigner("x").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: now + cookie.LIFETIME_SECONDS + 2)
    assert not signer.is_valid(request(cookie=value))


@pytest.fixture
def database(tmp_path):
    made = RecentDatabase(tmp_path / "recent.db")
    yield made
    made.close()


def test_ten_wrong_attempts_a_minute_are_enough_for_that_minute_and_address(database):
    now = [1000.0]
    wrong = WrongAttempts(lambda: now[0])
    for _ in range(attempts.MAX_ATTEMPTS):
        assert not wrong.are_too_many("10.0.0.1", database)
        wrong.note("10.0.0.1", database)
    assert wrong.are_too_many("10.0.0.1", database)
    assert not wrong.are_too_many("10.0.0.2", database)
    now[0] += attempts.WINDOW_SECONDS
    assert not wrong.are_too_many("10.0.0.1", database)


@pytest.mark.parametrize(
    ("addresses", "others"),
    [
        ([f"2001:db8:1:2:{number:x}::{number:x}" for number in range(10)], ["2001:db8:1:3::1", "2001:db8::1"]),
        (["::ffff:10.0.0.1", "10.0.0.1"] * 5, ["::ffff:10.0.0.2", "10.0.0.2", "::1"]),
        (["fe80::1%eth0", "fe80::1%eth1"] * 5, ["fe81::1"]),
        (["::1"] * 10, ["127.0.0.1", "::ffff:127.0.0.1"]),
        (["x" * 50_000 + str(number) for number in range(10)], ["unknown", ""]),
    ],
)
def test_what_one_client_can_choose_of_its_address_does_not_give_it_more_attempts(addresses, others, database):
    wrong = WrongAttempts(lambda: 1000.0)
    for address in addresses:
        wrong.note(address, database)

    assert all(wrong.are_too_many(address, database) for address in addresses)
    assert not any(wrong.are_too_many(address, database) for address in others)
    with database.reading() as connection:
        assert connection.execute("SELECT max(length(address)) FROM sign_in_attempts").fetchone()[0] <= 100


def test_attempts_count_in_all_workers_and_in_one_where_their_file_is_not_to_be_had(database, tmp_path):
    workers = [WrongAttempts(lambda: 1000.0) for _ in range(3)]
    for number in range(attempts.MAX_ATTEMPTS):
        workers[number % 3].note("10.0.0.1", database)
    assert all(worker.are_too_many("10.0.0.1", database) for worker in workers)

    (tmp_path / "file").write_text("")
    broken = RecentDatabase(tmp_path / "file" / "recent.db")
    alone = WrongAttempts(lambda: 1000.0)
    for _ in range(attempts.MAX_ATTEMPTS):
        alone.note("10.0.0.1", broken)
    assert alone.are_too_many("10.0.0.1", broken)


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
def test_a_clock_that_is_set_bars_nobody(database, jump):
    now = [1_000_000.0]
    wrong = WrongAttempts(lambda: now[0])
    for _ in range(attempts.MAX_ATTEMPTS):
        wrong.note("10.0.0.1", database)
    now[0] += jump
    assert not wrong.are_too_many("10.0.0.1", database)


def test_attempts_are_remembered_of_a_bounded_number_of_addresses(monkeypatch, database):
    monkeypatch.setattr(attempts, "_MAX_ADDRESSES", 3)
    wrong = WrongAttempts(lambda: 1000.0)
    for number in range(10):
        wrong.note(str(number), database)
    assert len(wrong._times) == 3
    with database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sign_in_attempts").fetchone()[0] <= 4
