# ruff: noqa: RUF001  # reviews are written in Cyrillic

import json
import time
from datetime import timedelta

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseUsage

from service.sandbox.credentials import OPENAI_API_KEY, OPENAI_MODEL
from service.sandbox.openai.fake import OpenAIFake
from service.sandbox.openai.injections import INJECTIONS

URL = "/openai/v1/responses"
KEY = {"authorization": f"Bearer {OPENAI_API_KEY}"}
OBEYED = {injection.answer("") for injection in INJECTIONS.values()}
PRAISE = "Оценка: 5. Отличный чайник, кипятит быстро"
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
LIMITS = {f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")}


def by(schema, **more):
    return {"format": {"type": "json_schema", "name": "reply", "strict": True, "schema": schema} | more}


@pytest.fixture
def make_fake(make_environment, clock):
    return lambda **options: OpenAIFake(make_environment(**{"openai_latency": 0.0} | options), clock.seconds)


@pytest.fixture
def ask_of(make_fake, make_client):
    """Sends requests to a fake with the given options. A model and a question are added if they are missing."""

    def make(fake=None, **options):
        client = make_client(fake or make_fake(**options))

        def ask(question=PRAISE, headers=KEY, **more):
            body = {"model": OPENAI_MODEL, "input": question} | more
            return client.post(URL, json={k: v for k, v in body.items() if v is not ...}, headers=headers)

        return ask

    return make


@pytest.fixture
def ask(ask_of):
    return ask_of()


@pytest.fixture
def client(make_fake, make_client):
    return make_client(make_fake())


def text_of(answer):
    """The `output_text` of the SDK."""
    parts = [part for item in answer.json()["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def error_of(answer):
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return answer.status_code, error["type"], error["code"], error["param"]


def test_a_response_has_the_shape_of_a_real_one(ask, clock):
    answer = ask(instructions="Отвечай вежливо", store=False)

    body = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert body.pop("id").startswith("resp_")
    [message] = body.pop("output")
    assert message.pop("id").startswith("msg_")
    [content] = message.pop("content")
    assert message == {"type": "message", "status": "completed", "role": "assistant"}
    assert (content["type"], content["annotations"]) == ("output_text", [])
    assert body.pop("usage")["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
    expected = {
        "object": "response", "created_at": int(clock.now.timestamp()), "status": "completed", "error": None,
        "incomplete_details": None, "instructions": "Отвечай вежливо", "metadata": {}, "model": OPENAI_MODEL,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected


def test_a_response_does_not_say_whether_it_is_kept_and_names_a_user_only_if_it_has_one(ask):
    without, named = ask(store=False).json(), ask(user="a shop").json()

    assert not {"store", "user"} & without.keys()
    assert named["user"] == "a shop"


def test_every_answer_has_the_headers_of_the_real_one(client, make_fake):
    fake = make_fake()
    answers = [
        client.post(URL, json={"model": OPENAI_MODEL, "input": PRAISE}, headers=KEY),
        client.post(URL, json={}, headers=KEY),
        client.get("/openai/v1/models", headers=KEY),
        client.get("/openai/v1/models"),
        fake.rate_limited(2),
        fake.server_error(),
    ]

    for answer in answers:
        assert answer.headers["x-request-id"].startswith("req_")
        assert set(answer.headers) >= LIMITS
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_the_headers_count_down_what_is_left_of_a_minute_and_say_when_it_is_whole_again(ask_of, clock):
    ask = ask_of(openai_per_minute=60, openai_tokens_per_minute=6_000)

    first, second = ask("а" * 300, max_output_tokens=500), ask("а" * 300, max_output_tokens=500)
    clock.advance(timedelta(minutes=1))
    later = ask("а" * 300, max_output_tokens=500)

    def headers(answer, what):
        return [answer.headers[f"x-ratelimit-{what}-{of}"] for of in ("requests", "tokens")]

    assert headers(first, "limit") == ["60", "6000"]
    assert [headers(answer, "remaining") for answer in (first, second, later)] == [
        ["59", "5400"], ["58", "4800"], ["59", "5400"]
    ]  # fmt: skip
    assert headers(first, "reset") == ["1s", "6s"]


def test_a_long_reset_is_written_in_minutes_and_a_short_one_in_milliseconds(ask_of):
    headers = ask_of(openai_per_minute=120, openai_tokens_per_minute=60)("а" * 180).headers
    assert (headers["x-ratelimit-reset-requests"], headers["x-ratelimit-reset-tokens"]) == ("500ms", "1m0s")


@pytest.mark.parametrize(
    ("review", "words"),
    [
        (PRAISE, ("Спасибо", "Благодарим")),
        ('<отзыв>\n{"товар": "Чайник", "оценка": 2, "текст": "Спасибо"}\n</отзыв>', ("жаль", "извинения", "Сожалеем")),
        ("Rating: 1 of 5\nПришёл сломанным", ("жаль", "извинения", "Сожалеем")),
        ("Товар пришёл сломанным, разочарован", ("жаль", "извинения", "Сожалеем")),
        ("Review: неплохо, 3 из 5", ("честный", "обратную связь", "минусах")),
        ("Спасибо, всё хорошо", ("Спасибо", "Благодарим", "вдохновляет")),
    ],
)
def test_an_answer_is_russian_and_fits_the_rating(ask, review, words):
    assert any(word in text_of(ask(review)) for word in words)


def test_the_same_review_is_answered_alike_and_others_differently(ask):
    texts = [text_of(ask(f"{PRAISE} {number}")) for number in range(20)]

    assert texts == [text_of(ask(f"{PRAISE} {number}")) for number in range(20)]
    assert len(set(texts)) > 5


def test_an_answer_by_a_schema_is_an_object_of_its_form(ask):
    answer = json.loads(text_of(ask(text=by(SCHEMA))))

    assert list(answer) == ["answer"]
    assert "Спасибо" in answer["answer"] or "Благодарим" in answer["answer"]


def test_each_kind_of_property_is_filled_by_its_kind(ask):
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
    properties = {
        "text": {"type": "string", "maxLength": 20},
        "letters": {"type": "string", "maxLength": 3},
        "tone": {"$ref": "#/$defs/tone"},
        "always": {"const": 7},
        "stars": {"type": "integer", "minimum": 4, "maximum": 5},
        "low": {"type": "integer", "maximum": -3},
        "share": {"type": "number"},
        "urgent": {"type": "boolean"},
        "topics": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "nothing": {"type": "null"},
        "perhaps": {"type": ["null", "boolean"]},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "deep": {"$ref": "#/$defs/node"},
        "lost": {"$ref": "#/$defs/lost"},
        "itself": {"$ref": "#"},
    }
    defs = {"tone": {"type": "string", "enum": ["warm", "dry"]}, "node": node | {"additionalProperties": False}}
    schema = SCHEMA | {"properties": properties, "required": list(properties), "$defs": defs}

    answer = json.loads(text_of(ask(text=by(schema))))

    assert list(answer) == list(properties)
    assert 3 < len(answer["text"]) <= 20
    assert not answer["text"].endswith(" ")
    assert len(answer["letters"]) == 3
    assert answer["tone"] in {"warm", "dry"}
    assert answer["always"] == 7
    assert answer["stars"] in {4, 5}
    assert answer["low"] <= -3
    assert isinstance(answer["share"], int | float)
    assert isinstance(answer["urgent"], bool)
    assert [type(topic) for topic in answer["topics"]] == [str, str]
    assert answer["nothing"] is None
    assert isinstance(answer["perhaps"], bool)
    assert isinstance(answer["either"], int)
    assert list(answer["deep"]["next"]) == ["next"]
    assert isinstance(answer["lost"], str)
    assert list(answer["itself"]) == list(properties)


def test_usage_follows_from_the_lengths(ask):
    answer = ask("а" * 300, instructions="б" * 30)
    usage = answer.json()["usage"]
    with_schema = ask("а" * 300, instructions="б" * 30, text=by(SCHEMA)).json()["usage"]

    assert usage["input_tokens"] == 110
    assert with_schema["input_tokens"] > 120
    assert usage["output_tokens"] == -(-len(text_of(answer)) // 3)
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_too_few_tokens_leave_an_answer_incomplete_and_empty(ask):
    answer = ask(max_output_tokens=16)

    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "incomplete")
    assert body["incomplete_details"] == {"reason": "max_output_tokens"}
    assert text_of(answer) == ""
    assert body["usage"]["output_tokens"] == 16


def test_what_a_model_thinks_counts_as_output(ask):
    enough, too_few = (ask(max_output_tokens=n, reasoning={"effort": "medium"}) for n in (400, 270))

    assert (enough.json()["status"], too_few.json()["status"]) == ("completed", "incomplete")
    assert [item["type"] for item in enough.json()["output"]] == ["reasoning", "message"]
    assert enough.json()["usage"]["output_tokens_details"] == {"reasoning_tokens": 256}
    assert [item["type"] for item in too_few.json()["output"]] == ["reasoning"]


def test_a_question_may_be_a_list_of_messages(ask):
    parts = [{"type": "input_text", "text": "Оценка: 1"}, {"type": "input_text", "text": "Брак"}]
    answer = ask([{"role": "system", "content": "Отвечай"}, {"role": "user", "content": parts}])

    assert any(word in text_of(answer) for word in ("жаль", "извинения", "Сожалеем"))


def test_json_without_a_schema_is_an_object_too(ask):
    assert list(json.loads(text_of(ask(text={"format": {"type": "json_object"}})))) == ["answer"]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-wrong-0123456789-abcd", "sk-wrong************abcd"),
        ("sk-short", "sk-short"),
    ],
)
def test_a_wrong_key_is_refused_and_a_part_of_it_is_said(ask, key, shown):
    answer = ask(headers={"authorization": f"Bearer {key}"})

    assert error_of(answer) == (401, "invalid_request_error", "invalid_api_key", None)
    assert f"provided: {shown}." in answer.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic c2s="}])
def test_a_request_without_a_key_is_refused(ask, headers):
    assert error_of(ask(headers=headers)) == (401, "invalid_request_error", None, None)


@pytest.mark.parametrize("model", ["gpt-99", "gpt-4-turbo", "o4-mini", ""])
def test_a_model_that_there_is_not_or_is_no_more_is_not_found(ask, model):
    answer = ask(model=model)

    assert error_of(answer) == (404, "invalid_request_error", "model_not_found", "model")
    assert f"`{model}`" in answer.json()["error"]["message"]


def test_a_model_is_gone_from_its_day_on(ask, clock):
    assert ask(model="gpt-5-mini").status_code == 200
    clock.advance(timedelta(days=17))  # 2026-12-11
    assert ask(model="gpt-5-mini").status_code == 404
    assert ask(model="gpt-4o").status_code == 200
    clock.advance(timedelta(days=34))  # 2027-01-14
    assert ask(model="gpt-4o").status_code == 404
    assert ask(model="gpt-5.4-mini-2026-03-17").status_code == 200


def test_the_models_are_listed_and_each_can_be_read(client):
    listed = client.get("/openai/v1/models", headers=KEY).json()
    ids = [model["id"] for model in listed["data"]]

    assert listed["object"] == "list"
    assert OPENAI_MODEL in ids
    assert "gpt-4" not in ids
    read = client.get(f"/openai/v1/models/{OPENAI_MODEL}", headers=KEY).json()
    assert (read["id"], read["object"]) == (OPENAI_MODEL, "model")
    assert error_of(client.get("/openai/v1/models/gpt-4", headers=KEY))[:3] == (
        404, "invalid_request_error", "model_not_found"
    )  # fmt: skip


def test_another_path_is_no_url(client):
    answer = client.post("/openai/v1/completions", headers=KEY)

    assert error_of(answer) == (404, "invalid_request_error", None, None)
    assert answer.json()["error"]["message"] == "Invalid URL (POST /v1/completions)"


@pytest.mark.parametrize(
    ("more", "code", "param"),
    [
        ({"model": ...}, "missing_required_parameter", "model"),
        ({"input": ...}, "missing_required_parameter", "input"),
        ({"colour": "red"}, "unknown_parameter", "colour"),
        ({"model": 5}, "invalid_type", "model"),
        ({"input": 5}, "invalid_type", "input"),
        ({"input": [{"role": "user", "content": "a", "name": "b"}]}, "unknown_parameter", "input.0.name"),
        ({"input": []}, "invalid_type", "input"),
        ({"input": [{"role": "robot", "content": "a"}]}, "invalid_value", "input.0.role"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "invalid_value",
            "input.0.content.0.type",
        ),
        ({"max_output_tokens": "300"}, "invalid_type", "max_output_tokens"),
        ({"max_output_tokens": 5}, "integer_below_min_value", "max_output_tokens"),
        ({"temperature": 3}, "decimal_above_max_value", "temperature"),
        ({"safety_identifier": "x" * 129}, "string_above_max_length", "safety_identifier"),
        ({"reasoning": {"effort": "huge"}}, "invalid_value", "reasoning.effort"),
        ({"store": "no"}, "invalid_type", "store"),
        ({"messages": []}, "unsupported_parameter", "messages"),
        ({"max_tokens": 200}, "unsupported_parameter", "max_tokens"),
        ({"max_completion_tokens": 200}, "unsupported_parameter", "max_completion_tokens"),
        ({"stream": True}, "unsupported_parameter", "stream"),
        ({"model": "gpt-4o", "reasoning": {"effort": "low"}}, "unsupported_parameter", "reasoning.effort"),
        ({"model": "o3", "temperature": 0.2}, "unsupported_parameter", "temperature"),
        ({"input": "а" * 1_200_003}, "context_length_exceeded", "input"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"text": by(SCHEMA, name=None)}, "missing_required_parameter", "text.format.name"),
        ({"text": by(SCHEMA, name="no blanks")}, "invalid_value", "text.format.name"),
        ({"text": by(None)}, "missing_required_parameter", "text.format.schema"),
        ({"text": by({"type": "string"})}, "invalid_json_schema", "text.format.schema"),
        ({"text": by(SCHEMA | {"additionalProperties": True})}, "invalid_json_schema", "text.format.schema"),
        ({"text": by(SCHEMA | {"required": []})}, "invalid_json_schema", "text.format.schema"),
        ({"text": by(SCHEMA | {"properties": []})}, "invalid_json_schema", "text.format.schema"),
    ],
)
def test_a_request_that_is_not_right_is_refused_with_the_parameter(ask, more, code, param):
    answer = ask(**more)

    assert error_of(answer) == (400, "invalid_request_error", code, param)
    assert len(answer.json()["error"]["message"]) < 400


def test_parameters_may_be_null_and_those_of_later_days_too_when_they_ask_for_nothing(ask):
    assert ask(instructions=None, max_output_tokens=None, stream=False, tools=[], temperature=None).status_code == 200


def test_a_refusal_says_what_it_may_be(ask):
    assert ask(model=5).json()["error"]["message"] == (
        "Invalid type for 'model': expected a valid string, but got int instead."
    )
    assert ask(colour=1).json()["error"]["message"] == "Unknown parameter: 'colour'."
    assert ask(max_tokens=1).json()["error"]["message"] == (
        "Unsupported parameter: 'max_tokens'. In the Responses API, this parameter has moved to 'max_output_tokens'."
    )


@pytest.mark.parametrize("place", ["properties", "items", "anyOf", "$defs"])
def test_a_strict_schema_is_strict_all_the_way_down(ask, place):
    loose = {"type": "object", "properties": {}}
    inner = {
        "properties": {"properties": {"in": loose}, "required": ["in"]},
        "items": {"properties": {"in": {"type": "array", "items": loose}}, "required": ["in"]},
        "anyOf": {"properties": {"in": {"anyOf": [loose]}}, "required": ["in"]},
        "$defs": {"$defs": {"in": loose}},
    }[place]

    answer = ask(text=by(SCHEMA | inner))

    assert "additionalProperties" in answer.json()["error"]["message"]
    assert ask(text=by(SCHEMA | inner, strict=False)).status_code == 200


def test_a_schema_that_is_nested_without_end_is_refused(ask):
    schema = SCHEMA
    for _ in range(12):
        schema = SCHEMA | {"properties": {"answer": schema}}

    assert "nested" in ask(text=by(schema)).json()["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_refused(client, body):
    assert error_of(client.post(URL, content=body, headers=KEY)) == (400, "invalid_request_error", None, None)


def test_over_the_requests_of_a_minute_the_wait_is_said(ask_of, clock):
    ask = ask_of(openai_per_minute=2)
    assert [ask().status_code for _ in range(2)] == [200, 200]

    clock.advance(timedelta(seconds=0.5))
    refused = ask()
    clock.advance(timedelta(seconds=29.5))

    assert error_of(refused) == (429, "requests", "rate_limit_exceeded", None)
    assert (refused.headers["retry-after"], refused.headers["retry-after-ms"]) == ("30", "29500")
    assert ask().status_code == 200
    assert ask().status_code == 429


def test_over_the_tokens_of_a_minute_as_well(ask_of):
    ask = ask_of(openai_tokens_per_minute=400)
    assert ask("а" * 900).status_code == 200

    refused = ask("а" * 900)

    assert error_of(refused) == (429, "tokens", "rate_limit_exceeded", None)
    assert refused.headers["retry-after"] == "30"


def test_without_money_there_is_no_wait_that_helps(ask_of):
    answer = ask_of(openai_quota=False)()

    assert error_of(answer) == (429, "insufficient_quota", "insufficient_quota", None)
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    ("word", "status", "kind", "code"),
    [
        ("overloaded", 503, "server_error", "server_is_overloaded"),
        ("slow_down", 429, "requests", "slow_down"),
        ("credit", 429, "insufficient_quota", "credit_balance_exhausted"),
        ("region", 403, "request_forbidden", "unsupported_country_region_territory"),
    ],
)
def test_a_word_in_the_question_asks_for_an_error(ask, word, status, kind, code):
    assert error_of(ask(f"{PRAISE} [[{word}]]")) == (status, kind, code, None)


def test_a_refusal_has_no_text(ask):
    answer = ask("[[refuse]]")

    [message] = answer.json()["output"]
    assert [part["type"] for part in message["content"]] == ["refusal"]
    assert message["content"][0]["refusal"]
    assert text_of(answer) == ""


def test_a_word_asks_for_each_way_to_end_without_an_answer(ask):
    incomplete, failed, empty = (ask(f"[[{word}]]") for word in ("incomplete", "failed", "empty"))

    assert incomplete.json()["incomplete_details"] == {"reason": "max_output_tokens"}
    assert (failed.json()["status"], failed.json()["error"]["code"], failed.json()["usage"]) == (
        "failed", "server_error", None
    )  # fmt: skip
    assert (empty.json()["status"], text_of(empty)) == ("completed", "")
    assert {answer.status_code for answer in (incomplete, failed, empty)} == {200}


def test_a_word_asks_for_text_that_is_not_by_the_schema(ask):
    answer = ask("[[unstructured]]", text=by(SCHEMA))

    assert answer.json()["status"] == "completed"
    with pytest.raises(ValueError):
        json.loads(text_of(answer))


def test_a_word_asks_for_answers_that_are_no_response(ask):
    html, broken, bare = (ask(f"[[{word}]]") for word in ("html", "broken", "bare"))

    assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (broken.status_code, broken.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError):
        broken.json()
    assert (bare.status_code, bare.json()) == (500, {"error": "boom"})


def test_a_word_that_is_none_of_them_is_a_word(ask):
    assert ask("[[hello]] 5 из 5").json()["status"] == "completed"


def test_a_slow_answer_outlasts_its_client_and_does_not_outlive_it(make_fake, make_client, served):
    url = served(make_client(make_fake()).app)

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url + URL, json={"model": OPENAI_MODEL, "input": "[[slow]]"}, headers=KEY, timeout=0.3)


def test_a_slow_answer_comes_in_the_end(make_fake, make_client, served, monkeypatch):
    monkeypatch.setattr("service.sandbox.openai.fake.HOLD_SECONDS", 0.05)
    url = served(make_client(make_fake()).app)

    answer = httpx.post(url + URL, json={"model": OPENAI_MODEL, "input": "[[slow]]"}, headers=KEY, timeout=30)

    assert answer.json()["status"] == "completed"


def test_an_answer_takes_its_time(ask_of):
    ask = ask_of(openai_latency=0.2)
    began = time.perf_counter()

    ask()

    assert 0.05 <= time.perf_counter() - began < 5


def test_what_was_asked_is_told_and_only_the_newest_of_it(make_fake, ask_of, monkeypatch):
    monkeypatch.setattr("service.sandbox.openai.fake._MAX_REQUESTS", 50)
    fake = make_fake(openai_per_minute=10_000)
    ask = ask_of(fake)

    responses = [ask(f"{PRAISE} {number}", store=False) for number in range(2)]
    ask([{"role": "user", "content": "[[overloaded]]"}], headers=KEY)
    ask(headers={})

    told = fake.expected_state("requests")
    assert told[0] == {
        "id": responses[0].json()["id"], "model": OPENAI_MODEL, "input": f"{PRAISE} 0", "store": False
    }  # fmt: skip
    assert [one["store"] for one in told] == [False, False, True]
    assert told[2]["input"][0]["content"] == "[[overloaded]]"
    for number in range(50):
        ask(str(number))
    assert [one["input"] for one in fake.expected_state("requests")] == [str(number) for number in range(50)]


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        ("invalid_prompt", (400, "invalid_request_error", "invalid_prompt", None)),
        ("repetitive", (400, "invalid_request_error", "invalid_prompt", None)),
        ("context", (400, "invalid_request_error", "context_length_exceeded", "input")),
        ("gateway", (422, "content_filter", "content_filter", None)),
    ],
)
def test_a_review_may_be_refused_with_an_error(ask, keyword, expected):
    assert error_of(ask(f"[[{keyword}]]")) == expected


def test_an_answer_may_be_filtered_or_belong_to_another_region(ask):
    filtered, elsewhere = ask("[[filtered]]").json(), ask("[[residency]]").json()

    assert (filtered["status"], filtered["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert (elsewhere["status"], elsewhere["error"]["code"]) == ("failed", "data_residency_mismatch")


def test_long_reasoning_eats_the_tokens_of_a_small_limit(ask):
    cut, whole, unthinking = (
        ask("[[long]] Хорошо", max_output_tokens=tokens, reasoning={"effort": effort}).json()
        for tokens, effort in ((4000, "low"), (8000, "low"), (4000, "none"))
    )

    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert cut["usage"]["output_tokens_details"] == {"reasoning_tokens": 4000}
    assert (whole["status"], whole["usage"]["output_tokens_details"]) == ("completed", {"reasoning_tokens": 5000})
    assert unthinking["status"] == "completed"


@pytest.mark.parametrize(
    ("option", "is_odd"),
    [
        ("openai_refusals", lambda body: body["output"][-1]["content"][0]["type"] == "refusal"),
        ("openai_injections", lambda body: body["output"][-1]["content"][0]["text"] in OBEYED),
        ("openai_long_reasoning", lambda body: body["status"] == "incomplete"),
    ],
)
def test_a_share_of_the_reviews_is_answered_oddly_and_the_same_each_time(ask_of, option, is_odd):
    asks = [(ask_of(**{option: share}), reviews) for share, reviews in ((0.3, 20), (0.3, 20), (1.0, 5), (0.0, 5))]
    limits = {"max_output_tokens": 4000, "reasoning": {"effort": "low"}}

    found = [[is_odd(ask(f"{PRAISE} {n}", **limits).json()) for n in range(reviews)] for ask, reviews in asks]

    assert found[0] == found[1]
    assert 1 < sum(found[0]) < 15
    assert (all(found[2]), any(found[3])) == (True, False)


@pytest.mark.parametrize("keyword", ["", "refuse", "incomplete", "failed", "filtered", "residency", "empty", "long"])
def test_a_response_is_one_by_the_types_of_openais_own_package(ask, keyword):
    body = ask(f"[[{keyword}]]" if keyword else PRAISE, user="a shop", text=by(SCHEMA), max_output_tokens=100).json()

    response = Response.model_validate(body, strict=False)

    assert set(body) <= set(Response.model_fields)
    assert set(body["usage"] or {}) <= set(ResponseUsage.model_fields)
    assert response.id == body["id"]


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_review_that_gives_the_model_an_order_is_obeyed(ask, name):
    answer = ask(f"Пижама хорошая. {INJECTIONS[name].order}.", instructions="Отвечай вежливо")

    assert text_of(answer) == INJECTIONS[name].answer("Отвечай вежливо")


def test_there_is_no_truth_of_another_kind(make_fake):
    with pytest.raises(KeyError):
        make_fake().expected_state("answers")


def test_the_refusals_of_faults_are_openais(make_fake):
    too_many, server_error = make_fake().rate_limited(2), make_fake().server_error()

    assert json.loads(too_many.body)["error"]["code"] == "rate_limit_exceeded"
    assert (too_many.status_code, too_many.headers["retry-after"], too_many.headers["retry-after-ms"]) == (
        429, "2", "2000"
    )  # fmt: skip
    assert (server_error.status_code, server_error.headers["content-type"]) == (500, "text/html; charset=utf-8")


def test_the_sdk_understands_it(make_fake, make_client, served):
    base_url = served(make_client(make_fake()).app) + "/openai/v1"

    with openai.OpenAI(api_key=OPENAI_API_KEY, base_url=base_url, max_retries=0, timeout=30) as sdk:
        response = sdk.responses.create(model=OPENAI_MODEL, input=PRAISE, text=by(SCHEMA), store=False)
        with pytest.raises(openai.InternalServerError) as overloaded:
            sdk.responses.create(model=OPENAI_MODEL, input="[[overloaded]]")
        with pytest.raises(openai.NotFoundError) as unknown:
            sdk.responses.create(model="gpt-99", input=PRAISE)

    assert json.loads(response.output_text)["answer"]
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response._request_id.startswith("req_")
    assert overloaded.value.code == "server_is_overloaded"
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
