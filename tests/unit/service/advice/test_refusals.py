"""Reviews that OpenAI refuses, the effort of reasoning, and answers that are cut by their tokens."""

from dataclasses import replace
from decimal import Decimal

import pytest

from service.integrations.http.errors import Misconfigured, Rejected
from service.integrations.openai.errors import QuotaExhausted

FLAGGED = (
    "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a "
    "different prompt: https://platform.openai.com/docs/guides/reasoning#advice-on-prompting"
)
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
UNSUPPORTED = {"param": "reasoning.effort", "message": "Unsupported parameter: 'reasoning.effort'"}


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "invalid_prompt", FLAGGED),
        (400, None, FLAGGED),
        (400, "invalid_prompt", "We detected repetitive patterns in your prompt."),
        (400, None, "Sorry! We've encountered an issue with repetitive patterns in your prompt."),
        (400, "context_length_exceeded", "Your input exceeds the context window of this model."),
        (400, None, "This model's maximum context length is 8192 tokens."),
        (400, "content_filter", "The response was filtered due to Azure OpenAI's content management policy."),
        (400, "string_above_max_length", "Invalid 'input': string too long."),
        (422, "bio_policy", "no"),
        (413, "content_policy_violation", "no"),
    ],
)
def test_a_review_that_is_refused_is_a_draft_that_says_why(openai, draft, counted, status, code, message):
    openai.refuse(status, code, {"message": message})

    found = draft()

    assert (found.outcome, found.text, found.cost_usd, found.model) == ("refused", None, 0, "gpt-5.4-mini")
    assert message[:60] in found.reason
    assert len(openai.requests) == 1
    assert counted("advice_drafts_total") == {'marketplace="wb",outcome="refused"': 1}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("bio_policy", "refused"),
        ("invalid_prompt", "refused"),
        ("misalignment_policy_violation", "refused"),
        ("server_error", "failed"),
        (None, "failed"),
    ],
)
def test_an_answer_that_failed_by_a_policy_is_a_refusal(openai, draft, code, outcome):
    openai.answer(None, status="failed", error={"code": code, "message": "It says no."})

    found = draft()

    assert found.outcome == outcome
    assert "It says no." in found.reason


@pytest.mark.parametrize("status", [200, 400, 403, 503])
def test_a_project_of_another_region_is_a_wrong_setting_and_no_fault_of_the_review(openai, draft, counted, status):
    error = {"code": "data_residency_mismatch", "message": "Use the host of your region."}
    if status == 200:
        openai.answer(None, status="failed", error=error)
    else:
        openai.refuse(status, error=error)

    with pytest.raises(Misconfigured, match=r"another region .* OPENAI_BASE_URL"):
        draft()

    assert len(openai.requests) == 1
    assert counted("advice_drafts_total") == {'marketplace="wb",outcome="error"': 1}


@pytest.mark.parametrize("code", ["unsupported_parameter", "invalid_json_schema", "unknown_parameter", "odd", None])
def test_a_call_that_any_review_would_make_is_no_refusal_of_the_review(openai, draft, code):
    openai.refuse(400, code, {"param": "text.format"})

    with pytest.raises(Rejected):
        draft()


def test_the_effort_is_low(openai, draft):
    openai.answer()

    draft()

    assert openai.requests[0]["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "unsupported_parameter", UNSUPPORTED),
        (400, "unsupported_value", {"param": "reasoning.effort", "message": "'low' is not supported: use 'high'."}),
        (400, None, {"message": "Unrecognized request argument supplied: reasoning"}),
        (422, None, {"message": "Extra inputs are not permitted: body.reasoning"}),
    ],
)
def test_a_model_that_takes_no_effort_is_asked_without_it_from_then_on(
    openai, make_drafter, make_subject, status, code, error
):
    openai.refuse(status, code, error)
    openai.answer()
    drafter = make_drafter()

    found = [drafter.draft(make_subject(), 1000) for _ in range(2)]

    assert [each.outcome for each in found] == ["drafted"] * 2
    assert ["reasoning" in request for request in openai.requests] == [True, False, False]


def test_an_effort_that_was_asked_for_and_is_not_taken_names_its_variable(openai, draft):
    openai.refuse(400, "unsupported_parameter", UNSUPPORTED)

    with pytest.raises(Misconfigured, match="OPENAI_REASONING_EFFORT"):
        draft(reasoning_effort="high")

    assert [request["reasoning"] for request in openai.requests] == [{"effort": "high"}]


def test_a_service_that_always_complains_of_effort_is_not_asked_for_ever(openai, draft):
    openai.refuse(400, "unsupported_parameter", UNSUPPORTED)

    with pytest.raises(Misconfigured):
        draft()

    assert len(openai.requests) == 3


def test_an_answer_that_is_cut_is_asked_for_once_more_with_twice_the_tokens_and_both_are_paid(openai, draft, counted):
    openai.answer(**CUT)
    openai.answer()

    found = draft(max_output_tokens=1000)

    assert (found.outcome, found.input_tokens, found.output_tokens) == ("drafted", 2000, 200)
    assert found.cost_usd == Decimal("0.00186")
    assert [request["max_output_tokens"] for request in openai.requests] == [1000, 2000]
    assert counted("advice_drafts_total") == {'marketplace="wb",outcome="drafted"': 1}
    assert sum(counted("openai_cost_usd_total").values()) == pytest.approx(0.00186)


def test_an_answer_that_is_cut_twice_is_incomplete(openai, draft):
    openai.answer(**CUT)

    found = draft()

    assert (found.outcome, found.output_tokens) == ("incomplete", 200)
    assert len(openai.requests) == 2


def test_a_second_call_that_fails_leaves_what_the_first_has_cost(openai, draft):
    openai.answer(**CUT)
    openai.refuse(429, "insufficient_quota")

    found = draft()

    assert found.outcome == "incomplete"
    assert (found.output_tokens, found.cost_usd) == (100, Decimal("0.00093"))
    with pytest.raises(QuotaExhausted):
        draft()


def test_a_cost_that_is_unknown_of_one_of_two_calls_is_what_is_known(openai, draft):
    openai.answer(**CUT | {"usage": None})
    openai.answer()

    found = draft()

    assert (found.outcome, found.input_tokens, found.cost_usd) == ("drafted", 1000, Decimal("0.00093"))
    assert replace(found, cost_usd=None).after(found).cost_usd == found.cost_usd


def test_an_answer_that_a_filter_has_cut_is_not_asked_for_again(openai, draft):
    openai.answer(status="incomplete", incomplete_details={"reason": "content_filter"})

    assert draft().outcome == "incomplete"
    assert len(openai.requests) == 1
