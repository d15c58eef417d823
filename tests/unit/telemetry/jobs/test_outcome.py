import asyncio

import pytest

from telemetry.jobs.outcome import error_message, outcome_of, status_of
from telemetry.semconv import OUTCOMES


class Sulky(Exception):
    def __str__(self):
        raise RuntimeError("no text for you")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "success"),
        (ValueError("x"), "error"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (SystemExit(), "cancelled"),
        (SystemExit(0), "cancelled"),
        (SystemExit(False), "cancelled"),
        (SystemExit(1), "error"),
        (SystemExit("a reason"), "error"),
        (SystemExit(0.0), "error"),
        (ExceptionGroup("several", [TimeoutError()]), "timeout"),
        (ExceptionGroup("several", [ExceptionGroup("in it", [TimeoutError()])]), "timeout"),
        (BaseExceptionGroup("several", [TimeoutError(), asyncio.CancelledError()]), "timeout"),
        (BaseExceptionGroup("several", [asyncio.CancelledError()]), "cancelled"),
        (ExceptionGroup("several", [TimeoutError(), ValueError("no")]), "error"),
    ],
    ids=repr,
)
def test_each_way_out_has_its_word(error, outcome):
    assert outcome_of(error) == outcome


def test_a_success_is_one_and_so_is_what_could_only_wait():
    successes = [word for word in OUTCOMES if status_of(word) == "success"]

    assert successes == ["success", "skipped"]


def test_a_run_that_waits_is_skipped_unless_an_exception_ends_it():
    assert outcome_of(None, skipped=True) == "skipped"
    assert outcome_of(ValueError("x"), skipped=True) == "error"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no orders"), "no orders"),
        (TimeoutError(), "TimeoutError"),
        (Sulky(), "<Sulky>"),
        (ValueError("x" * 501), "x" * 500),
        (ValueError("nul\x00 \ud800"), "nul\ufffd ?"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_errors_text_is_its_message_or_its_class(error, text):
    assert error_message(error) == text
