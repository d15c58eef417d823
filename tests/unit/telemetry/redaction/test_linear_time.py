"""Redaction takes time in proportion to the text, and little of it, whatever the text is."""

import time
from collections.abc import Callable

import pytest

from telemetry.logs.text_formatter import UNPRINTABLE, one_line
from telemetry.redaction.known_values import KnownSecrets
from telemetry.redaction.named_values import is_secret_name
from telemetry.redaction.patterns import CARD_PATTERNS, PATTERNS
from telemetry.redaction.policy import Policy
from telemetry.redaction.shortening import beginning, beginning_and_end
from telemetry.redaction.sql_sanitizer import sanitize_sql
from tests.support.adversarial import UNITS, repeated

SHORT, LONG = 4 * 1024, 64 * 1024
MAX_RATIO = 4 * LONG / SHORT
MAX_FACTOR = 12.0
"""Of the time that Python takes to look at each character: some 200 ns. The patterns take up to 20 ns."""


@pytest.fixture(scope="module")
def policy() -> Policy:
    made = Policy()
    made.add_secrets({"TELEGRAM_TOKEN": "7712345678:AAF-canary_Canary-canary", "OPS_TOKEN": "canary-ops-token"})
    return made


@pytest.mark.parametrize(
    "pattern", [*PATTERNS, *CARD_PATTERNS], ids=lambda pattern: "".join(pattern.triggers[:1]) or "card"
)
def test_each_pattern_is_linear_with_a_small_factor(pattern):
    searched = [
        unit for unit in UNITS if not pattern.triggers or any(word in unit.lower() for word in pattern.triggers)
    ]

    assert searched
    assert {unit: slow for unit in searched if (slow := _slowness(pattern.redact, unit))} == {}


def test_the_sanitizer_of_statements_is_linear_with_a_small_factor():
    assert {unit: slow for unit in UNITS if (slow := _slowness(sanitize_sql, unit))} == {}


def test_all_patterns_together_are_linear_with_a_small_factor(policy):
    units = (*UNITS, "7712345678:AAF", "canary-ops-", "canary-ops-token", "canary-ops-token ", "7712345678:A")

    assert {unit: slow for unit in units if (slow := _slowness(policy.redact_text, unit))} == {}


@pytest.mark.parametrize("secret", ["!@#$%^&*()", "\\\\@@##%%&&''", "'\"'\"'\"'\"", "\n\t\n\t\n\t\n\t"])
def test_a_secret_without_letters_is_searched_in_linear_time_with_a_small_factor(secret):
    known = KnownSecrets()
    known.add({"OPS_TOKEN": secret})
    units = (
        *UNITS,
        "\\",
        "\\n",
        "\\\\u0021",
        "%",
        "%25",
        "&",
        "&amp;",
        "'",
        "!",
        "7",
        "u0026",
        secret[:4],
        secret[:4] * 2,
    )

    assert {unit: slow for unit in units if (slow := _slowness(known.redact, unit, 4 * MAX_FACTOR))} == {}


@pytest.mark.parametrize(
    "work", [is_secret_name, lambda text: beginning(text, 2048), lambda text: beginning_and_end(text, 2048)]
)
def test_names_and_cuts_are_linear_with_a_small_factor(work):
    assert {unit: slow for unit in UNITS if (slow := _slowness(work, unit))} == {}


def test_the_escaping_of_control_characters_is_linear_with_a_small_factor():
    units = (*(chr(code) for code in UNPRINTABLE), *(f"a{chr(code)}" for code in UNPRINTABLE))

    assert {unit: slow for unit in units if (slow := _slowness(one_line, unit, 2 * MAX_FACTOR))} == {}


def _slowness(work: Callable[[str], object], unit: str, max_factor: float = MAX_FACTOR) -> str:
    """Why the work is too slow; empty if it is not. Compares only times that were measured one after the other."""
    for times in (1, 3, 3):  # a disturbance is no reason: what seems slow is measured again, and better
        short, long = (_seconds(work, repeated(unit, length), times) for length in (SHORT, LONG))
        one_by_one = _seconds(lambda text: [None for _ in text], repeated(unit, LONG), times)
        if long <= MAX_RATIO * short + one_by_one and long <= max_factor * one_by_one:
            return ""
    return f"{long / short:.0f} times for {LONG // SHORT} times the length, {long / one_by_one:.0f} times a loop"


def _seconds(work: Callable[[str], object], text: str, times: int) -> float:
    best = float("inf")
    for _ in range(times):
        started = time.thread_time()
        work(text)
        best = min(best, time.thread_time() - started)
    return max(best, 1e-7)


def test_a_text_full_of_secrets_is_cut_where_there_are_too_many(policy):
    redacted = policy.redact_text("password=hunter2 " * 10_000)

    assert redacted.startswith("password=[hidden password] password=[hidden password] ")
    assert redacted.endswith("characters]")
    assert "[hidden rest of " in redacted
    assert "hunter2" not in redacted


def test_a_few_dozen_secrets_in_a_short_text_are_hidden_one_by_one(policy):
    assert policy.redact_text("token='abc' " * 24).count("[hidden token]") == 24
