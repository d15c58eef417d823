import gc
import gzip
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from service.integrations.http import client as http_client
from service.integrations.http.client import ApiCall
from service.integrations.http.errors import Unreachable, Unreadable
from tests.support.loopback import response
from tests.support.wildberries_payloads import LIMIT

READ = ApiCall("GET", "/things", LIMIT)


@pytest.fixture
def client(api, client_of):
    return client_of(api)


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_an_answer_that_was_compressed_is_read(client, server):
    server.enqueue(response(gzip.compress(b'{"fine": true}'), content_encoding="gzip"))

    assert client.call(READ).json() == {"fine": True}


def test_an_answer_that_cannot_be_decompressed_is_asked_for_again(client, server):
    server.enqueue(response(b"no gzip", content_encoding="gzip"), response("fine"))

    assert client.call(READ).text() == "fine"


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_that_is_too_long_is_not_read_to_its_end(client_of, api, server, monkeypatch, compressed):
    monkeypatch.setattr(http_client, "MAX_RESPONSE_BYTES", 100_000)
    client = client_of(api)
    body = b"x" * 100_001
    server.script = lambda _asked: (
        response(gzip.compress(body), content_encoding="gzip") if compressed else response(body)
    )

    with pytest.raises(Unreadable if compressed else Unreachable):
        client.call(READ)

    server.script = lambda _asked: response(body[1:])
    assert len(client.call(READ).text()) == 100_000


@pytest.mark.parametrize("body", ["<html>", "", "{", '{"a": 1', b"\xff", "[" * 100_000, "1" * 5000])
def test_what_is_no_json_is_unreadable(client, server, body):
    server.enqueue(response(body))

    with pytest.raises(Unreadable):
        client.call(READ).json()


@pytest.mark.parametrize("body", ["[]", "null", "1", '"text"'])
def test_json_that_is_no_object_is_unreadable_as_one(client, server, body):
    server.enqueue(response(body))

    with pytest.raises(Unreadable):
        client.call(READ).object()


@pytest.mark.parametrize("body", ['{"item": [1]}', '{"item": 1}', "null", '"text"', "", "<html>", "{}", "7"])
def test_what_is_no_array_has_no_rows_and_says_so(client, server, body):
    server.enqueue(response(body))

    with pytest.raises(Unreadable):
        list(client.call(READ).rows())


@pytest.mark.parametrize(
    ("status", "body", "read", "counted"),
    [
        (200, "<html>", "json", 1),
        (201, "", "json", 1),
        (200, "[]", "object", 1),
        (200, "{}", "rows", 1),
        (200, "[1, 2", "rows", 1),
        (200, "{}", "object", 0),
        (200, "[1]", "rows", 0),
        (204, "", "json", 0),
    ],
)
def test_a_success_that_cannot_be_read_is_counted_once(client_of, api, server, status, body, read, counted):
    unreadable = []
    answered = client_of(api, on_unreadable=lambda: unreadable.append(1))
    server.enqueue(response(body, status))
    answer = answered.call(READ)

    for _ in range(2):
        with suppress(Unreadable):
            list(getattr(answer, read)())

    assert len(unreadable) == counted


def test_a_failure_by_its_status_is_not_counted_as_unreadable(client_of, api, server):
    unreadable = []
    server.enqueue(response("<html>", 503), response("<html>", 429), response("{}"))

    client_of(api, on_unreadable=lambda: unreadable.append(1)).call(READ).json()

    assert unreadable == []


def test_rows_are_read_with_numbers_of_any_size(client, server):
    server.enqueue(response('  [1, 123456789012345678901234567890, 1.10, {"a": [null]}, "b"]  '), response("[]"))

    assert list(client.call(READ).rows()) == [1, 123456789012345678901234567890, Decimal("1.10"), {"a": [None]}, "b"]
    assert list(client.call(READ).rows()) == []


@pytest.mark.parametrize("rest", ["", ', {"b"', " x]", ", 1e", "\xff"])
def test_rows_before_a_cut_are_given(client, server, rest):
    server.enqueue(response('[{"a": 1}, {"a": 2}' + rest))
    rows = client.call(READ).rows()

    assert (next(rows), next(rows)) == ({"a": 1}, {"a": 2})
    with pytest.raises(Unreadable):
        next(rows)


def test_an_answer_can_be_read_more_than_once(client, server):
    server.enqueue(response("[1, 2]"))
    answer = client.call(READ)

    assert list(answer.rows()) == answer.json() == list(answer.rows())
    assert answer.text() == "[1, 2]"


def test_a_large_answer_is_on_the_disk_as_long_as_somebody_has_it(client, server):
    server.script = lambda _asked: response("x" * 2**21)
    gc.collect()
    before = open_files()

    answer = client.call(READ)
    during = open_files()
    del answer
    gc.collect()

    assert open_files() == during - 1
    assert during > before
