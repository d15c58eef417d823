"""On an event loop, only a part of a long text is redacted: the loop's other tasks wait meanwhile."""

import asyncio
import json
import logging

import pytest

from telemetry.logs.json_formatter import JsonFormatter
from telemetry.logs.text_formatter import TextFormatter
from telemetry.redaction.policy import MAX_FOREIGN_TEXT, Policy
from telemetry.redaction.shortening import MAX_ON_EVENT_LOOP

SLACK = 200  # characters of marks and placeholders


def on_a_loop(work, *arguments):
    async def run():
        return work(*arguments)

    return asyncio.run(run())


@pytest.fixture
def policy() -> Policy:
    made = Policy()
    made.add_secrets({"OPS_TOKEN": "canary-ops-token"})
    return made


def test_a_long_text_keeps_its_beginning_and_its_end(policy):
    text = "password=hunter2 " + "x " * 500_000 + "ValueError: token='abc'"

    shortened = on_a_loop(policy.redact_text, text)

    assert len(shortened) <= MAX_ON_EVENT_LOOP + SLACK
    assert shortened.startswith("password=[hidden password] x ")
    assert shortened.endswith("ValueError: token='[hidden token]'")
    assert "characters left out" in shortened


def test_without_an_event_loop_a_long_text_is_kept_whole(policy):
    text = "x " * 500_000 + "token='abc'"

    assert policy.redact_text(text) == "x " * 500_000 + "token='[hidden token]'"


def test_a_short_text_is_the_same_on_an_event_loop(policy):
    text = "x " * (MAX_ON_EVENT_LOOP // 2)

    assert on_a_loop(policy.redact_value, text) is text


@pytest.mark.parametrize("position", range(MAX_ON_EVENT_LOOP // 2 - 20, MAX_ON_EVENT_LOOP // 2 + 4))
@pytest.mark.parametrize("secret", ["canary-ops-token", "https://u:hunter2hunter2@h/", "password=hunter2hunter2"])
def test_no_part_of_a_secret_is_left_by_a_cut(policy, secret, position):
    filler = "x " * 8 * MAX_ON_EVENT_LOOP
    texts = (filler[:position] + f" {secret} " + filler, filler + f" {secret} " + filler[:position])

    for text in texts:
        shortened = on_a_loop(policy.redact_text, text)
        assert not any(part in shortened for part in ("canary", "-ops", "hunter", "unter2", "token"))


def test_the_body_of_a_private_key_is_not_shown_by_a_cut(policy):
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIE1234 abcd\n" * 5000 + "-----END PRIVATE KEY-----\n"

    assert "MIIE" not in on_a_loop(policy.redact_text, "x " * 8000 + key)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"payload": "x " * 1_000_000},
        lambda: {"payload": ["token='abc' " * 20] * 100_000},
        lambda: {str(number): number for number in range(1_000_000)},
        lambda: [["x"] * 1000] * 1000,
        lambda: {"a": {"b": [b"x " * 1_000_000]}},
        lambda: tuple(range(1_000_000)),
        lambda: {"db.statement": "SELECT 'a', " * 100_000},
    ],
)
def test_of_a_large_container_the_beginning_is_kept(policy, make):
    shortened = on_a_loop(policy.redact_value, make())

    assert type(shortened) in (dict, list)
    assert len(repr(shortened)) <= 4 * MAX_ON_EVENT_LOOP
    assert "left out" in repr(shortened) or "hidden rest" in repr(shortened)
    assert "abc" not in repr(shortened)


def test_a_small_container_is_the_same_object_on_an_event_loop(policy):
    value = {"list": ["a", ("b", 1)], "n": 1.5}

    assert on_a_loop(policy.redact_value, value) is value


def test_a_container_that_contains_itself_is_no_trouble_on_an_event_loop(policy):
    endless: list = ["a" * 10_000]
    endless.append(endless)

    assert "left out" in repr(on_a_loop(policy.redact_value, endless))


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_long_record_that_is_logged_on_an_event_loop_becomes_a_short_line(formatter):
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "%s", ("://" * 400_000,), None)
    record.payload = {"text": "x " * 500_000}

    line = on_a_loop(formatter.format, record)

    assert len(line) <= 4 * MAX_ON_EVENT_LOOP
    if isinstance(formatter, JsonFormatter):
        assert "left out" in json.loads(line)["message"]


def test_of_a_text_that_a_client_sent_only_the_beginning_is_shown(policy):
    shown = policy.redact_foreign_text("/" + "://" * 2600 + "u:hunter2@")

    assert len(shown) <= MAX_FOREIGN_TEXT
    assert shown.startswith("/://://")
    assert policy.redact_foreign_text("/docs") == "/docs"
