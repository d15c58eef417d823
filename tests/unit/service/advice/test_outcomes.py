"""The outcome of each kind of response of OpenAI, through the real client."""

import json
from decimal import Decimal

import pytest

from service.advice.outcomes import Draft

TOKENS = {"input_tokens": 1000, "output_tokens": 100}
# 600 tokens at 0.75 USD a million, 400 cached ones at 0.075, 100 written at 4.50.
COST = Decimal("0.00093")


def content(*contents):
    return {"output": [{"type": "message", "id": "m", "role": "assistant", "content": list(contents)}]}


def test_an_answer_is_a_draft_with_its_tokens_and_its_cost(openai, draft):
    openai.answer('{"answer": " Спасибо за отзыв! "}')

    found = draft()

    assert found == Draft(
        outcome="drafted", text="Спасибо за отзыв!", model="gpt-5.4-mini", cost_usd=COST, reason=None, **TOKENS
    )


def test_the_model_that_answered_is_told_and_has_the_price(openai, draft):
    openai.answer(model="gpt-5.4-mini-2026-03-17")

    found = draft(model="our-alias-of-a-model")

    assert (found.model, found.cost_usd) == ("gpt-5.4-mini-2026-03-17", COST)


def test_a_refusal_is_told_apart_with_what_it_says(openai, draft):
    openai.answer(**content({"type": "refusal", "refusal": "I can't help\nwith that."}))

    found = draft()

    assert (found.outcome, found.text, found.reason) == ("refused", None, "I can't help with that.")
    assert (found.input_tokens, found.cost_usd) == (1000, COST)  # it is paid all the same


@pytest.mark.parametrize("cause", ["max_output_tokens", "content_filter"])
def test_an_answer_that_was_cut_is_incomplete_and_says_by_what(openai, draft, cause):
    openai.answer('{"answer": "Спас', status="incomplete", incomplete_details={"reason": cause})

    found = draft()

    assert (found.outcome, found.text) == ("incomplete", None)
    assert found.reason == f"OpenAI's response is not complete: {cause}."


def test_an_answer_that_failed_says_why(openai, draft):
    openai.answer(None, status="failed", usage=None, error={"code": "server_error", "message": "The model broke"})

    found = draft()

    assert (found.outcome, found.text) == ("failed", None)
    assert found.reason == "OpenAI's response is failed: server_error, The model broke."
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (None, None, None)


@pytest.mark.parametrize("status", ["in_progress", "cancelled", "queued", "new word", None, 7])
def test_every_other_status_is_a_failed_answer_whatever_text_it_has(openai, draft, status):
    openai.answer(status=status)

    found = draft()

    assert (found.outcome, found.text) == ("failed", None)
    assert found.reason == f"OpenAI's response is {status}."


@pytest.mark.parametrize(
    "answer",
    [
        {"text": None},
        {"text": "  "},
        {"text": '{"answer": " "}'},
        {"output": []},
        {"output": None},
        {
            "output": [
                7,
                {"type": "message", "content": "text"},
                {"type": "reasoning", "content": [{"type": "refusal"}]},
            ]
        },
        content({"type": "output_text"}, {"type": "output_text", "text": 7}, {"type": "unknown", "text": "no"}),
    ],
)
def test_an_answer_without_text_is_empty(openai, draft, answer):
    openai.answer(**{"text": "is not read from here"} | answer) if "text" in answer else openai.answer(**answer)

    found = draft()

    assert (found.outcome, found.text, found.reason) == ("empty", None, "OpenAI's response has no text.")


def test_a_page_of_html_is_told_apart_and_begins_the_reason(openai, draft):
    openai.send(200, b"<html>\n<title>Sign in</title>" + b"x" * 2000, "text/html")

    found = draft()

    assert (found.outcome, found.text, found.model) == ("html", None, "gpt-5.4-mini")
    assert found.reason.startswith("OpenAI answered with text that is not JSON: <html> <title>Sign in</title>")
    assert len(found.reason) == 500


@pytest.mark.parametrize("body", [b'{"id": "resp_01", "outp', b"", b'{"id": "\xff"}', b"[" * 100_000])
def test_a_body_that_is_no_whole_json_is_told_apart(openai, draft, body):
    openai.send(200, body)

    found = draft()

    assert (found.outcome, found.text, found.cost_usd) == ("broken_json", None, None)
    assert found.reason == "OpenAI's response is not whole JSON."


@pytest.mark.parametrize("body", [b"[]", b"null", b"7"])
def test_json_that_is_no_response_is_a_failed_answer(openai, draft, body):
    openai.send(200, body)

    found = draft()

    assert (found.outcome, found.reason) == (
        "failed",
        "OpenAI's response is JSON, but not the object that its API describes.",
    )


@pytest.mark.parametrize(
    "text", ["Спасибо!", '["Спасибо!"]', '{"reply": "Спасибо!"}', '{"answer": 7}', '{"answer": "Спас', "[" * 100_000]
)
def test_a_text_that_is_not_of_the_form_is_not_taken_for_an_answer(openai, draft, text):
    openai.answer(text)

    found = draft()

    assert (found.outcome, found.text) == ("unstructured", None)
    assert found.reason == "OpenAI's text is not the JSON object that was asked for."


def test_an_answer_that_is_longer_than_it_may_be_is_held(openai, draft):
    openai.answer(json.dumps({"answer": "я" * 100}))
    openai.answer(json.dumps({"answer": "я" * 101}))

    fits, too_long = draft(answer_length=100), draft(answer_length=100)

    assert (fits.outcome, fits.text) == ("drafted", "я" * 100)
    assert (too_long.outcome, too_long.text, too_long.failed_checks) == ("held", "я" * 101, ("length",))
    assert too_long.reason == "The draft is held because of: its length."


def test_of_an_answer_without_end_only_the_beginning_is_kept(openai, draft):
    openai.answer(json.dumps({"answer": "я" * 100_000}))

    found = draft()

    assert (found.outcome, found.text, found.failed_checks) == ("held", "я" * 5000, ("length",))


def test_a_text_in_parts_is_one_text(openai, draft):
    openai.answer(**content({"type": "output_text", "text": '{"answer": '}, {"type": "output_text", "text": '"Да"}'}))

    found = draft()

    assert found.text == "Да"


def test_what_no_database_takes_is_not_in_an_answer(openai, draft):
    openai.answer('{"answer": "Да\\u0000 \\ud83d!"}')

    found = draft()

    assert found.text == "Да� ?!"


def test_usage_that_makes_no_sense_is_not_counted_as_negative_or_costly(openai, draft):
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 99, "cache_write_tokens": 99},
        "output_tokens": -5,
    }
    openai.answer(usage=usage)

    found = draft()

    assert (found.outcome, found.input_tokens, found.output_tokens) == ("drafted", 10, 0)
    assert found.cost_usd == Decimal("0.00000075")
