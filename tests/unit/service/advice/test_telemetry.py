"""The metrics and spans of drafts."""

import json
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from service.advice.prompt import ReviewForPrompt
from service.integrations.http.errors import CallError
from telemetry.metrics.families import Translator


@pytest.fixture
def span(draft, spans):
    """Drafts, ignores an error, and returns the last span."""

    def once(**options):
        with suppress(CallError):
            draft(**options)
        return spans.get_finished_spans()[-1]

    return once


def test_a_draft_that_came_about_is_counted_with_its_tokens_and_its_money(openai, draft, counted):
    openai.answer()

    draft(), draft()

    assert counted("advice_drafts_total") == {'marketplace="wb",outcome="drafted"': 2}
    assert counted("advice_generated_total") == {'marketplace="wb"': 2}
    assert counted("openai_cost_usd_total") == {'model="gpt-5.4-mini"': pytest.approx(2 * 0.00093)}


def metrics_of(reader):
    data = reader.get_metrics_data()
    return [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]


@pytest.fixture
def requested(openai_url):
    """What is known of a call before it is answered."""
    url = urlsplit(openai_url)
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-mini",
        "server.address": url.hostname,
        "server.port": url.port,
    }


def test_tokens_are_a_histogram_in_the_words_of_opentelemetry(openai, draft, reader, requested):
    openai.answer()

    draft()

    metrics = metrics_of(reader)
    (tokens,) = [metric for metric in metrics if metric.name == "gen_ai.client.token.usage"]
    assert tokens.unit == "{token}"
    shared = {**requested, "gen_ai.response.model": "gpt-5.4-mini"}
    assert [(dict(point.attributes), point.sum, point.count) for point in tokens.data.data_points] == [
        ({**shared, "gen_ai.token.type": "input"}, 1000, 1),
        ({**shared, "gen_ai.token.type": "output"}, 100, 1),
    ]
    assert tokens.data.data_points[0].explicit_bounds == tuple(4**power for power in range(14))
    assert "gen_ai_client_token_usage" in {family.name for family in Translator(()).translate(metrics)}


def test_a_draft_of_a_model_without_prices_is_counted_in_tokens_only(openai, draft, counted, reader):
    openai.answer(model="a-model-without-prices")

    found = draft(model="a-model-without-prices")

    assert (found.outcome, found.cost_usd, found.input_tokens) == ("drafted", None, 1000)
    assert counted("openai_cost_usd_total") == {}
    assert "gen_ai.client.token.usage" in reader.get_metrics_data().to_json()


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        ("refused", {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}]}),
        ("incomplete", {"status": "incomplete"}),
        ("failed", {"status": "failed"}),
        ("empty", {"output": []}),
        ("unstructured", {"text": "Спасибо!"}),
        ("held", {"text": json.dumps({"answer": "я" * 2000})}),
    ],
)
def test_each_answer_without_a_draft_is_counted_apart_and_paid(openai, draft, make_subject, counted, outcome, fields):
    openai.answer(**fields)

    draft(make_subject(marketplace="ozon"))

    assert counted("advice_drafts_total") == {f'marketplace="ozon",outcome="{outcome}"': 1}
    assert counted("draft_checks_total") == ({'reason="length"': 1} if outcome == "held" else {})
    assert counted("advice_generated_total") == {}
    assert counted("openai_cost_usd_total") != {}


@pytest.mark.parametrize(
    ("outcome", "body", "content_type"), [("html", b"<html>", "text/html"), ("broken_json", b"{", "application/json")]
)
def test_an_answer_that_is_none_is_counted_without_tokens(openai, draft, counted, reader, outcome, body, content_type):
    openai.send(200, body, content_type)

    draft()

    assert counted("advice_drafts_total") == {f'marketplace="wb",outcome="{outcome}"': 1}
    assert counted("openai_cost_usd_total") == {}
    assert "gen_ai.client.token.usage" not in reader.get_metrics_data().to_json()


@pytest.mark.parametrize(("code", "outcome"), [("insufficient_quota", "quota"), ("rate_limit_exceeded", "error")])
def test_what_is_raised_is_counted_once_however_often_it_was_tried(openai, draft, counted, code, outcome):
    openai.refuse(429, code, retry_after="0")

    with pytest.raises(CallError):
        draft()

    assert counted("advice_drafts_total") == {f'marketplace="wb",outcome="{outcome}"': 1}


def durations(reader):
    """The attributes of the calls, and how many there were."""
    (duration,) = [metric for metric in metrics_of(reader) if metric.name == "gen_ai.client.operation.duration"]
    assert duration.unit == "s"
    assert duration.data.data_points[0].explicit_bounds == pytest.approx(tuple(0.01 * 2**power for power in range(14)))
    return [(dict(point.attributes), point.count) for point in duration.data.data_points]


def test_the_duration_of_a_call_has_the_models_that_were_asked_and_that_answered(openai, draft, reader, requested):
    openai.answer(model="gpt-5.4-mini-2026-03-17")

    draft(), draft()

    assert durations(reader) == [({**requested, "gen_ai.response.model": "gpt-5.4-mini-2026-03-17"}, 2)]


def test_a_call_that_fails_has_a_duration_with_its_error(openai, draft, reader, requested):
    openai.refuse(400, "odd")

    with pytest.raises(CallError):
        draft()

    assert durations(reader) == [({**requested, "error.type": "Rejected"}, 1)]


def test_each_attempt_has_a_duration(openai, draft, reader, requested):
    openai.send(500, b"")
    openai.answer()

    draft()

    assert durations(reader) == [
        ({**requested, "error.type": "Unreachable"}, 1),
        ({**requested, "gen_ai.response.model": "gpt-5.4-mini"}, 1),
    ]


def test_a_call_that_is_interrupted_has_a_duration_with_its_exception(make_drafter, reader, requested, spans):
    class Interrupted:
        base_url = make_drafter().client.base_url

        @property
        def responses(self):
            raise KeyboardInterrupt

    drafter = replace(make_drafter(), client=Interrupted())

    with pytest.raises(KeyboardInterrupt):
        drafter.draft(ReviewForPrompt(marketplace="wb", rating=5, text="", pros="", cons="", product_name=None), 1000)

    assert durations(reader) == [({**requested, "error.type": "KeyboardInterrupt"}, 1)]
    assert spans.get_finished_spans()[-1].attributes["error.type"] == "KeyboardInterrupt"


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({}, ("stop",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ("length",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, ("content_filter",)),
        ({"status": "incomplete", "incomplete_details": {"reason": ["odd"]}}, None),
        ({"status": "incomplete"}, None),
        ({"status": "failed"}, ("error",)),
        ({"status": "queued"}, None),
        ({"status": 7}, None),
    ],
)
def test_a_span_says_why_the_model_stopped(openai, span, fields, reasons):
    openai.answer(**fields)

    assert span().attributes.get("gen_ai.response.finish_reasons") == reasons


def test_a_call_is_a_client_span_with_numbers_and_no_text(openai, span, requested):
    openai.answer('{"answer": "Спасибо!"}', model="gpt-5.4-mini-2026-03-17")

    found = span()

    assert (found.name, found.kind) == ("chat gpt-5.4-mini", SpanKind.CLIENT)
    assert found.status.status_code is StatusCode.UNSET
    assert dict(found.attributes) == {
        **requested,
        "gen_ai.request.max_tokens": 4000,
        "gen_ai.output.type": "json",
        "openai.api.type": "responses",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.model": "gpt-5.4-mini-2026-03-17",
        "gen_ai.response.id": "resp_01",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.output_tokens": 100,
    }


def test_a_span_of_an_answer_without_a_draft_says_the_outcome(openai, span):
    openai.send(200, b"<html>", "text/html")

    found = span()

    assert found.attributes["error.type"] == "html"
    assert "gen_ai.response.id" not in found.attributes
    assert found.status.status_code is StatusCode.ERROR


def test_each_attempt_is_a_span_of_its_own(openai, span, spans):
    openai.send(500, b"")
    openai.answer()

    span()

    failed, answered = spans.get_finished_spans()
    assert failed.attributes["error.type"] == "Unreachable"
    assert failed.status.description == "OpenAI answered with 500."
    assert answered.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("status", [200, 400, 401])
def test_no_span_holds_a_text_or_the_key(openai, span, status):
    if status == 200:
        openai.answer()
    else:
        openai.refuse(status, "odd", {"message": "Incorrect API key provided: sk-proj-canary0123456789wxyz."})

    found = span().to_json()

    assert not any(secret in found for secret in ("canary", "Маломерит", "Спасибо", "Пижама"))
