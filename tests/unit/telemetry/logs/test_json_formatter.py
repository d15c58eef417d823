import json
import logging
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from telemetry.logs.json_formatter import JsonFormatter


def record(message="42 orders", *args, exc_info=None, extra=None, stack=None) -> logging.LogRecord:
    return logging.getLogger("shop.orders").makeRecord(
        "shop.orders", logging.WARNING, "/srv/shop/orders.py", 17, message, args, exc_info, "sync", extra, stack
    )


def formatted(*args, **kwargs) -> dict:
    line = JsonFormatter().format(record(*args, **kwargs))
    assert "\n" not in line
    return json.loads(line)


def test_a_record_becomes_an_object_with_the_fields_of_the_contract():
    fields = formatted("%d orders", 42)

    moment = datetime.fromisoformat(fields.pop("timestamp"))
    assert moment.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    assert fields == {
        "level": "WARNING",
        "logger": "shop.orders",
        "message": "42 orders",
        "module": "orders",
        "function": "sync",
        "line": 17,
        "exception": None,
        "trace_id": None,
        "span_id": None,
    }


def test_within_a_span_a_record_carries_its_trace():
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")

    with tracer.start_as_current_span("sync") as span:
        fields = formatted()

    context = span.get_span_context()
    assert fields["trace_id"] == f"{context.trace_id:032x}"
    assert fields["span_id"] == f"{context.span_id:016x}"


def test_an_exception_is_there_with_its_traceback():
    try:
        raise ValueError("no such order")
    except ValueError:
        fields = formatted(exc_info=sys.exc_info())

    assert fields["exception"].startswith("Traceback (most recent call last):\n")
    assert fields["exception"].endswith("ValueError: no such order")


def test_an_exception_that_is_none_is_none():
    assert formatted(exc_info=(None, None, None))["exception"] is None


def test_a_stack_is_there_when_it_was_asked_for():
    assert formatted(stack="Stack (most recent call last):\n  …")["stack"].startswith("Stack")


def test_extra_fields_go_in_under_their_names():
    fields = formatted(extra={"component": "ozon", "attempt": 3, "ids": [1, 2], "shop": {"name": "Мой"}, "note": None})

    assert fields["component"] == "ozon"
    assert fields["attempt"] == 3
    assert fields["ids"] == [1, 2]
    assert fields["shop"] == {"name": "Мой"}
    assert fields["note"] is None


class Mute:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("9.90"), "9.90"),
        (Path("var/log"), "var/log"),
        (float("nan"), "nan"),
        ({1}, "{1}"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (Mute(), "<Mute>"),
    ],
)
def test_an_extra_field_that_json_cannot_hold_is_kept_as_text(value, text):
    assert formatted(extra={"value": value})["value"] == text


def test_an_extra_field_that_contains_itself_is_kept_as_text():
    endless: list = []
    endless.append(endless)

    assert formatted(extra={"value": endless})["value"] == "[[...]]"


def test_an_extra_field_does_not_hide_one_of_the_contract():
    assert (
        formatted(extra={"level": "fine", "line": "cash", "trace_id": "mine"}).items()
        >= {
            "level": "WARNING",
            "line": 17,
            "trace_id": None,
        }.items()
    )


def test_the_copy_of_a_message_that_uvicorn_makes_for_terminals_is_left_out():
    assert "color_message" not in formatted(extra={"color_message": "\x1b[36mStarted"})


def test_lines_in_a_message_stay_on_one_line():
    assert formatted("first\nsecond\r\n\u2028third")["message"] == "first\nsecond\r\n\u2028third"
