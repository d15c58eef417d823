import logging
import socket
import threading
from decimal import Decimal

import pytest

from service.advice.pricing import TokenUsage, cost_usd


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("gpt-5.4-mini", TokenUsage(input=1_000_000, output=0), "0.75"),
        ("gpt-5.4-mini", TokenUsage(input=0, output=1_000_000), "4.5"),
        ("gpt-5.4-mini", TokenUsage(input=1_000_000, output=0, cache_read=1_000_000), "0.075"),
        ("gpt-4o-mini", TokenUsage(input=1_000_000, output=1_000_000, cache_read=400_000), "0.72"),
        ("gpt-5.4-mini", TokenUsage(input=0, output=0), "0"),
    ],
)
def test_a_known_model_costs_what_its_tokens_do(model, usage, cost):
    assert cost_usd(model, usage) == Decimal(cost)


def test_an_unknown_model_costs_nobody_knows_what_and_that_is_said_once(caplog):
    caplog.set_level(logging.WARNING)

    costs = [cost_usd(model, TokenUsage(10, 10)) for model in ("not-a-model-1", "not-a-model-1", "not-a-model-2")]

    assert costs == [None, None, None]
    assert [(record.levelname, record.args) for record in caplog.records] == [
        ("WARNING", ("not-a-model-1",)),
        ("WARNING", ("not-a-model-2",)),
    ]


def test_prices_are_found_without_a_thread_or_a_connection(monkeypatch):
    before = set(threading.enumerate())
    monkeypatch.setattr(socket, "socket", None)  # who opens one, fails

    cost_usd("gpt-5.4-mini", TokenUsage(10, 10))

    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("usage", [None, "many", 7, []])
def test_usage_that_is_not_there_is_none(usage):
    assert TokenUsage.from_response(usage) is None


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({}, TokenUsage(0, 0)),
        ({"input_tokens": 10, "output_tokens": 5}, TokenUsage(10, 5)),
        ({"input_tokens": "10", "output_tokens": True, "input_tokens_details": 7}, TokenUsage(0, 0)),
        ({"input_tokens": -1, "output_tokens": 2.5}, TokenUsage(0, 0)),
        (
            {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}},
            TokenUsage(10, 0, 4, 3),
        ),
        (
            {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 8}},
            TokenUsage(10, 0, 8, 2),
        ),
    ],
)
def test_usage_is_read_as_far_as_it_makes_sense(usage, read):
    assert TokenUsage.from_response(usage) == read
